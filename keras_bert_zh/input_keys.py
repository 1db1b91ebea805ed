"""What the inputs of BERT are called, and the one more that ERNIE has."""

INPUT_KEYS = ("input_ids", "input_mask", "segment_ids")
TASK_KEY = "task_type_ids"
