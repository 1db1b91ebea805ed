"""Chinese BERT as native Keras layers."""

import os

from keras_bert_zh import quiet
from keras_bert_zh.version import __version__ as __version__

__all__ = [
    "CRF",
    "FGM",
    "BertConfig",
    "BertEncoder",
    "BertPreprocess",
    "Checkpoint",
    "CoSENT",
    "ExportedModel",
    "InBatchNegatives",
    "MaskTokens",
    "MaskedLM",
    "PackedText",
    "RDrop",
    "SentenceEncoder",
    "SpanReader",
    "TextClassifier",
    "TokenTagger",
    "TrainingState",
    "TruncationWarning",
    "TwoTowers",
    "adamw",
    "align_labels",
    "batch_by_length",
    "batch_packed",
    "batch_windows",
    "export_model",
    "join_first",
    "join_mean",
    "join_tokens",
    "labels_per_word",
    "layout_map",
    "load_checkpoint",
    "read_table",
    "save_checkpoint",
    "shuffled_batches",
    "span_labels",
]

if quiet.is_command_line():
    os.environ.setdefault(quiet.LEVEL, "3")
quiet.hold_to_level()

# Python imports the package before its __main__, where each command imports what it needs.
if not quiet.is_command_line():
    from keras_bert_zh.checkpoints import Checkpoint, load_checkpoint
    from keras_bert_zh.config import BertConfig
    from keras_bert_zh.data.batching import batch_by_length
    from keras_bert_zh.data.epochs import shuffled_batches
    from keras_bert_zh.data.labels import align_labels, labels_per_word
    from keras_bert_zh.data.masking import MaskTokens
    from keras_bert_zh.data.packed_batches import batch_packed
    from keras_bert_zh.data.packed_text import PackedText
    from keras_bert_zh.data.spans import span_labels
    from keras_bert_zh.data.table import read_table
    from keras_bert_zh.data.windows import batch_windows, join_first, join_mean, join_tokens
    from keras_bert_zh.encoder import BertEncoder
    from keras_bert_zh.engines.exported_model import ExportedModel
    from keras_bert_zh.export.checkpoint import save_checkpoint
    from keras_bert_zh.export.model import export_model
    from keras_bert_zh.heads.masked_lm import MaskedLM
    from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
    from keras_bert_zh.heads.span_reader import SpanReader
    from keras_bert_zh.heads.text_classifier import TextClassifier
    from keras_bert_zh.heads.token_tagger import TokenTagger
    from keras_bert_zh.heads.two_towers import TwoTowers
    from keras_bert_zh.layers.crf import CRF
    from keras_bert_zh.preprocess import BertPreprocess
    from keras_bert_zh.training.contrastive import CoSENT, InBatchNegatives
    from keras_bert_zh.training.fgm import FGM
    from keras_bert_zh.training.layout_map import layout_map
    from keras_bert_zh.training.optimizer import adamw
    from keras_bert_zh.training.r_drop import RDrop
    from keras_bert_zh.training.state import TrainingState
    from keras_bert_zh.truncation import TruncationWarning
