"""Loads checkpoints: finds the files, reads them and assigns the weights to a model."""

from keras_bert_zh.checkpoints.assign import assign, assign_parts
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.head import Head
from keras_bert_zh.checkpoints.load import (
    load_checkpoint,
    open_architecture,
    open_checkpoint,
    open_vocabulary,
)
from keras_bert_zh.checkpoints.sources.default import DEFAULT

__all__ = [
    "DEFAULT",
    "Checkpoint",
    "Head",
    "assign",
    "assign_parts",
    "load_checkpoint",
    "open_architecture",
    "open_checkpoint",
    "open_vocabulary",
]
