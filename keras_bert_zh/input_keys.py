"""What BERT's three inputs are called."""

INPUT_KEYS = ("input_ids", "input_mask", "segment_ids")
