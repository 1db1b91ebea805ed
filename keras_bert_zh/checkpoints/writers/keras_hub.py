"""Writes a preset that Keras Hub loads."""

import contextlib
import math
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.keras_hub import (
    ARGUMENTS,
    CONFIG,
    FIXED,
    OWN,
    TASK,
    TASK_WEIGHTS,
    TOKENIZER,
    VOCABULARY,
    WEIGHTS,
    implied_config,
    split_shapes,
)
from keras_bert_zh.checkpoints.schemes import KERAS_HUB, KERAS_HUB_FIRST
from keras_bert_zh.checkpoints.writers.parts import (
    arrays,
    check_embeddings,
    without_head,
    write_json,
    write_vocabulary,
)
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import is_lowercase

_PREPROCESSOR = "preprocessor.json"

# What the head of its `BertMaskedLM` computes.
_MASKED_LM = {"hidden_act": "gelu_erf", "layer_norm_eps": 1e-5}

# More bytes than HDF5 needs for a tensor's place in the file.
_OVERHEAD = 4096


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which exists and is empty.

    What Keras Hub can't express is stored in addition, under its own key of `config.json` and as
    extra tensors. Keras Hub ignores these, and this package reads them. A warning says what Keras
    Hub will compute instead.

    Raises:
        ValueError: if a weight or a token can't be written, the activation is not GELU, or the
            embeddings are not those of BERT.
        OSError: if a file can't be written.

    Reference:
        `KerasPresetLoader`, `BertBackbone`, `BertMaskedLM` and `BertTokenizer` in Keras Hub.
    """
    config = checkpoint.config
    check_embeddings(config)
    if not config.hidden_act.startswith("gelu"):
        raise ValueError(
            f"Keras Hub's BERT always uses GELU, so with hidden_act={config.hidden_act!r} its "
            'outputs would be wrong. Save with format="huggingface".'
        )
    checkpoint = without_head(checkpoint, "A preset of Keras Hub", stacklevel=4)
    for loss in _losses(checkpoint):
        warnings.warn(loss, stacklevel=3)
    backbone = _backbone(config)
    write_json(folder / CONFIG, backbone | {OWN: _own(checkpoint, backbone["config"])})
    if checkpoint.vocabulary is not None:
        (folder / VOCABULARY).parent.mkdir(parents=True)
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
        write_json(folder / TOKENIZER, _tokenizer(checkpoint, checkpoint.vocabulary))
        write_json(folder / _PREPROCESSOR, _preprocessor(checkpoint, checkpoint.vocabulary))
    if "masked_lm" in checkpoint.parts:
        write_json(folder / TASK, _task(checkpoint, backbone))
    _write_weights(checkpoint, folder)


def _losses(checkpoint: Checkpoint) -> list[str]:
    """Returns what Keras Hub will compute differently from this checkpoint."""
    config = checkpoint.config
    losses = []
    if config.hidden_act != FIXED["hidden_act"]:
        losses.append(
            "Keras Hub's BERT has no exact GELU: its code will use the tanh approximation for this "
            f'checkpoint. This package reads the exact one from "hidden_act" in {CONFIG}.'
        )
    if config.layer_norm_eps != FIXED["layer_norm_eps"]:
        losses.append(
            f"Keras Hub's BERT always uses layer_norm_eps={FIXED['layer_norm_eps']}: its code will "
            f"ignore layer_norm_eps={config.layer_norm_eps}. This package reads it from {CONFIG}."
        )
    if config.attention_probs_dropout_prob != config.hidden_dropout_prob:
        losses.append(
            "Keras Hub's BERT has a single dropout rate: when it is trained there, attention will "
            f"use the rate of the hidden states, {config.hidden_dropout_prob}, instead of "
            f"{config.attention_probs_dropout_prob}."
        )
    if "pooler" in checkpoint.missing:
        losses.append(
            "The checkpoint has no pooler, but Keras Hub's BERT needs one: its weights will be "
            "zeros, so pooled_output is zero until you train it."
        )
    if "masked_lm" in checkpoint.parts and any(
        getattr(config, field) != value for field, value in _MASKED_LM.items()
    ):
        losses.append(
            "Keras Hub's BertMaskedLM uses the exact GELU and "
            f"layer_norm_eps={_MASKED_LM['layer_norm_eps']} in its head, but this model uses "
            f"{config.hidden_act} and {config.layer_norm_eps}: there, the logits differ slightly."
        )
    if "next_sentence" in checkpoint.parts:
        losses.append(
            "Keras Hub has no next_sentence head: its code will ignore these weights, but this "
            "package reads them."
        )
    return losses


def _object(kind: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Returns an object as Keras serialises it; `kind` is the end of its module's name."""
    return {
        "module": f"keras_hub.src.models.bert.{kind}",
        "class_name": name,
        "config": {"name": kind} | config,
        "registered_name": f"keras_hub>{name}",
    }


def _backbone(config: BertConfig) -> dict[str, Any]:
    arguments = {theirs: getattr(config, ours) for ours, (theirs, _) in ARGUMENTS.items()}
    return _object("bert_backbone", "BertBackbone", arguments)


def _own(checkpoint: Checkpoint, arguments: dict[str, Any]) -> dict[str, Any]:
    implied = BertConfig(**implied_config(arguments)).to_dict()
    fields = checkpoint.config.to_dict()
    others = {name: value for name, value in fields.items() if value != implied.get(name)}
    return {"config": others, "parts": list(checkpoint.parts)}


def _tokenizer(checkpoint: Checkpoint, vocabulary: tuple[str, ...]) -> dict[str, Any]:
    lowercase = checkpoint.lowercase
    lowercase = is_lowercase(vocabulary) if lowercase is None else lowercase
    return _object(
        "bert_tokenizer",
        "BertTokenizer",
        # Keras Hub keeps accents unless it is told; BERT strips them from what it lower-cases.
        {"dtype": "int32", "vocabulary": None, "lowercase": lowercase, "strip_accents": lowercase},
    )


def _preprocessor(checkpoint: Checkpoint, vocabulary: tuple[str, ...]) -> dict[str, Any]:
    """Returns the preprocessing of the masked LM if there is that head, or of a classifier."""
    task = "masked_lm" if "masked_lm" in checkpoint.parts else "text_classifier"
    return _object(
        f"bert_{task}_preprocessor",
        f"Bert{'MaskedLM' if task == 'masked_lm' else 'TextClassifier'}Preprocessor",
        {
            "tokenizer": _tokenizer(checkpoint, vocabulary),
            "sequence_length": min(512, checkpoint.config.max_position_embeddings),
        },
    )


def _task(checkpoint: Checkpoint, backbone: dict[str, Any]) -> dict[str, Any]:
    vocabulary = checkpoint.vocabulary
    preprocessor = None if vocabulary is None else _preprocessor(checkpoint, vocabulary)
    fields = {"backbone": backbone, "preprocessor": preprocessor}
    return _object("bert_masked_lm", "BertMaskedLM", fields)


def _write_weights(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    import h5py

    with_task = any(part != "pooler" for part in checkpoint.parts)
    paths = [folder / name for name in (WEIGHTS, TASK_WEIGHTS)[: 1 + with_task]]
    path = paths[0]
    try:
        _check_room(path, checkpoint)
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(h5py.File(path, "w")) for path in paths]
            for name, array in _arrays(checkpoint):
                of_task = name.startswith("task/")
                files[of_task][name.removeprefix("task/").replace(*KERAS_HUB_FIRST)] = array
    except (OSError, RuntimeError) as error:
        raise OSError(f"{path} can't be written: {error}") from error


def _check_room(path: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Raises OSError if the disk is full: without this check, HDF5 would crash the process."""
    shapes = checkpoint.weights.shapes.values()
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):  # Not on macOS.
            size = sum(4 * math.prod(shape) + _OVERHEAD for shape in shapes)
            os.posix_fallocate(file.fileno(), 0, size)


def _arrays(checkpoint: Checkpoint) -> Iterator[tuple[str, np.ndarray]]:
    config = checkpoint.config
    shapes = split_shapes(config)
    for name, array in arrays(checkpoint, KERAS_HUB):
        yield name, array.reshape(shapes.get(name, array.shape))
    if "pooler" in checkpoint.missing:
        for ours, rank in (("pooler.dense.kernel", 2), ("pooler.dense.bias", 1)):
            yield KERAS_HUB.names[ours], np.zeros((config.hidden_size,) * rank, "float32")
