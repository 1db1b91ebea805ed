"""Recognises a folder that has one checkpoint and nothing else, which may be replaced."""

import pathlib
import warnings
from collections.abc import Mapping

from keras_bert_zh.checkpoints.readers import (
    formats,
    hub_module,
    huggingface,
    keras_hub,
    original,
    tf1_hub,
    tf2_hub,
)
from keras_bert_zh.checkpoints.weight_kinds import KINDS
from keras_bert_zh.checkpoints.writers.model_card import CARD, SIGNED
from keras_bert_zh.files.replaceable import Files, Replaceable, unknown_files

_SAVED_MODEL = ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "tfhub_module.pb")
_VARIABLES = ("variables.index", "variables.data-?????-of-?????")
_HUB = {"": _SAVED_MODEL, "variables": _VARIABLES, "assets": ("vocab.txt",)}

# The files of a checkpoint, by its format.
_CHECKPOINTS: Mapping[str, Files] = {
    huggingface.NAME: {
        "": (
            "config.json",
            *(pattern for kind in KINDS for pattern in kind.patterns),
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "generation_config.json",
            CARD,
            "modules.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
        ),
        "1_Pooling": ("config.json",),
        "2_Dense": ("config.json", "model.safetensors"),
        "2_Normalize": ("config.json",),
        "3_Normalize": ("config.json",),
    },
    original.NAME: {
        "": (
            "bert_config.json",
            "bert_model.ckpt.index",
            "bert_model.ckpt.meta",
            "bert_model.ckpt.data-?????-of-?????",
            "checkpoint",
            "vocab.txt",
        )
    },
    tf1_hub.NAME: _HUB,
    tf2_hub.NAME: _HUB,
    hub_module.NAME: _HUB | {"assets": ("vocab.txt", "bert_config.json")},
    keras_hub.NAME: {
        "": (
            "config.json",
            "metadata.json",
            "model.weights.h5",
            "preprocessor.json",
            "task.json",
            "task.weights.h5",
            "tokenizer.json",
        ),
        "assets": (),
        "assets/tokenizer": ("vocabulary.txt",),
    },
}


def _check_checkpoint(folder: pathlib.Path) -> None:
    """Raises ValueError if `load_checkpoint` can't open the folder, or it contains more.

    The values of weights are not read. A checkpoint with damaged or inconsistent files does not
    count: users who are sure that nobody needs it must delete it themselves.
    """
    found = formats.formats_in(folder)
    if len(found) != 1:
        held = " and ".join(found) or formats.contents(folder)
        raise ValueError(
            f"It must contain one checkpoint and nothing else, but it contains {held}."
        )
    (read,) = found.values()
    try:
        with warnings.catch_warnings(action="ignore"):
            checkpoint = read()
    except ValueError as error:
        raise ValueError(f"load_checkpoint can't open it: {error}") from error
    # Where a format has several kinds of files, it says in brackets which was read.
    name = str(checkpoint.format).partition(" (")[0]
    strange = next(unknown_files(folder, _CHECKPOINTS[name]), None)
    if strange:
        raise ValueError(f"It contains {strange}, which is not part of a {name}.")
    card = folder / CARD
    if card.is_file() and SIGNED.encode() not in card.read_bytes():
        raise ValueError(f"Its {CARD} was not written by keras_bert_zh. Move that file elsewhere.")


CHECKPOINT = Replaceable("checkpoint", _check_checkpoint)
