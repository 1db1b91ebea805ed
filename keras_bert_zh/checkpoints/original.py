"""Reads a checkpoint of google-research/bert, as it trains them and as Google published them."""

import pathlib

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.json_files import read_config
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.checkpoints.select import select
from keras_bert_zh.checkpoints.tensorflow_files import open_tensors
from keras_bert_zh.checkpoints.vocabulary_file import read_vocabulary

NAME = "google-research/bert checkpoint"
CONFIG = "bert_config.json"


def prefixes(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the prefixes of the TensorFlow checkpoints that lie in the folder itself."""
    return sorted(file.with_suffix("") for file in folder.glob("*.index"))


def read(prefix: pathlib.Path) -> Checkpoint:
    """Opens the checkpoint of this prefix, with the `bert_config.json` and `vocab.txt` beside it.

    `"hidden_act": "gelu"` means what google-research/bert computes for it since February 2019, the
    approximation with tanh. The format does not say whether text is lower-cased.

    Raises:
        ValueError: if a file is damaged or missing, or the files do not fit together.
    """
    config = read_config(prefix.with_name(CONFIG), gelu="tanh")
    weights, leftovers = select(
        f"{prefix}.index does not hold the BERT that {CONFIG} describes.",
        open_tensors(prefix),
        TF1,
        config,
    )
    path = prefix.with_name("vocab.txt")
    vocabulary = read_vocabulary(path, config.vocab_size) if path.exists() else None
    return Checkpoint(config, vocabulary, None, weights, NAME, leftovers)
