"""Pretrained weights in files of several formats, and the way into a model."""

from keras_bert_zh.checkpoints.assign import assign, assign_parts
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.load import load_checkpoint, open_architecture, open_checkpoint
from keras_bert_zh.checkpoints.sources.resolve import DEFAULT

__all__ = [
    "DEFAULT",
    "Checkpoint",
    "assign",
    "assign_parts",
    "load_checkpoint",
    "open_architecture",
    "open_checkpoint",
]
