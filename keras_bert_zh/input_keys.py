"""The names of the inputs of BERT, and of the additional input of ERNIE."""

INPUT_KEYS = ("input_ids", "input_mask", "segment_ids")
TASK_KEY = "task_type_ids"
# Of rows that hold several texts: where in its row each of them begins.
TEXT_STARTS = "text_starts"
OFFSET_KEYS = ("starts", "ends")
# Of windows: the text that each is of, and which of its tokens have the most context in it.
WINDOW_KEYS = ("text_ids", "is_max_context")
# What `BertPreprocess` can put beside them, which an encoder leaves alone.
BESIDE_KEYS = (*OFFSET_KEYS, "word_ids", *WINDOW_KEYS)
