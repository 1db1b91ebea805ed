"""What pre-training needs beside a model: text in rows, masks, optimiser, saved state."""

from keras_bert_zh.training.masking import MaskTokens
from keras_bert_zh.training.optimizer import adamw
from keras_bert_zh.training.packed_text import PackedText
from keras_bert_zh.training.state import TrainingState

__all__ = ["MaskTokens", "PackedText", "TrainingState", "adamw"]
