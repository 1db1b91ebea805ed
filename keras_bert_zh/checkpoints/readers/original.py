"""Reads a checkpoint of google-research/bert, as its code or Google's archives have it."""

import pathlib
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers import fine_tuned
from keras_bert_zh.checkpoints.readers.beside_bert import warn_of_head
from keras_bert_zh.checkpoints.readers.json_files import read_config, read_json
from keras_bert_zh.checkpoints.readers.tensorflow_files import open_tensors
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.checkpoints.select import select
from keras_bert_zh.vocabulary import read_checkpoint_vocabulary

NAME = "google-research/bert checkpoint"
CONFIG = "bert_config.json"
PREFIX = "bert_model.ckpt"


def prefixes(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the prefixes of the TensorFlow checkpoints in the folder, not in subfolders."""
    found = [file.with_suffix("") for file in folder.glob("*.index")]
    # Other programs call their files so, too.
    return sorted(p for p in found if p.name == PREFIX or any(folder.glob(f"{p.name}.data-*")))


def read(prefix: pathlib.Path) -> Checkpoint:
    """Opens the checkpoint with this prefix, and the `bert_config.json` and `vocab.txt` next to it.

    `"hidden_act": "gelu"` means the approximation with tanh, which google-research/bert has
    computed since February 2019. The format does not say whether text is lower-cased. A
    `bert_config.json` that this package wrote may say so, name another GELU, say that there is no
    pooler, and give the labels of a head.

    Raises:
        ValueError: if a file is damaged or missing, or the files do not match.
    """
    path = prefix.with_name(CONFIG)
    fields = read_json(path)
    config = read_config(path, gelu=_one_of(path, fields, "gelu", ("tanh", "erf")))
    lowercase = _one_of(path, fields, "do_lower_case", (None, True, False))
    pooler = _one_of(path, fields, "pooler", (True, False))
    tensors = open_tensors(prefix)
    found = fine_tuned.find(tensors, TF1, config.hidden_size)
    weights, leftovers = select(
        f"{prefix}.index does not contain the BERT that {CONFIG} describes.",
        {name: tensor for name, tensor in tensors.items() if name not in found.unread},
        TF1,
        config,
        optional=names.HEADS if pooler else names.PARTS,
    )
    leftovers += found.unread
    head = fine_tuned.original_head(path, fields, found)
    path = prefix.with_name("vocab.txt")
    vocabulary = read_checkpoint_vocabulary(path, config.vocab_size) if path.exists() else None
    warn_of_head(prefix, found.unread)
    return Checkpoint(config, vocabulary, lowercase, weights, NAME, leftovers, head=head)


def _one_of(path: pathlib.Path, fields: dict[str, Any], name: str, allowed: tuple) -> Any:
    """Returns the value of an optional key; the first allowed value is the default."""
    value = fields.get(name, allowed[0])
    if value not in allowed:
        raise ValueError(f"{path}: {name} must be one of {allowed}, got {value!r}.")
    return value
