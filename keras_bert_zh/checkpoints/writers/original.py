"""Writes a checkpoint that the code of google-research/bert loads."""

import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.original import CONFIG, PREFIX
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.checkpoints.writers.parts import (
    arrays,
    check_embeddings,
    check_path,
    write_json,
    write_vocabulary,
)

# What google-research/bert computes whatever `bert_config.json` says.
_EPSILON = 1e-12
_ONE_LABEL = "single_label_classification"

# The file that tf.train.Saver keeps beside its checkpoints.
_STATE = f'model_checkpoint_path: "{PREFIX}"\nall_model_checkpoint_paths: "{PREFIX}"\n'


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which exists and is empty.

    What google-research/bert can't express is stored under extra keys of `bert_config.json`:
    `gelu`, `layer_norm_eps`, `do_lower_case`, `pooler`, `head`. Its code ignores them, and this
    package reads them. A warning says what its code will compute instead.

    Raises:
        ValueError: if a weight or a token can't be written, or a row has no token.
        OSError: if a file can't be written.

    Reference:
        `BertConfig` and `BertModel` in google-research/bert `modeling.py`.
    """
    _check(checkpoint, folder)
    for loss in _losses(checkpoint):
        warnings.warn(loss, stacklevel=3)
    (folder / "checkpoint").write_text(_STATE)
    write_json(folder / CONFIG, _config(checkpoint))
    if checkpoint.vocabulary is not None:
        write_vocabulary(folder / "vocab.txt", checkpoint.vocabulary)
    _write_weights(checkpoint, folder / PREFIX)


def _check(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    check_path(folder)
    check_embeddings(checkpoint.config)
    tokens, rows = checkpoint.vocabulary, checkpoint.config.vocab_size
    if tokens is not None and len(tokens) != rows:
        raise ValueError(
            f"The vocabulary has {len(tokens)} tokens, but the word embeddings have {rows} rows: "
            'this format needs a token for every row. Save with format="huggingface", or pass a '
            "preprocess whose vocabulary has a token for every row."
        )


def _losses(checkpoint: Checkpoint) -> list[str]:
    """Returns what google-research/bert will compute differently from this checkpoint."""
    config = checkpoint.config
    losses = []
    if config.hidden_act == "gelu_erf":
        losses.append(
            "google-research/bert has no exact GELU: its code will use the tanh approximation for "
            'this checkpoint. This package reads the exact one from "gelu" in bert_config.json.'
        )
    if config.layer_norm_eps != _EPSILON:
        losses.append(
            f"google-research/bert always uses layer_norm_eps={_EPSILON}: its code will ignore "
            f"layer_norm_eps={config.layer_norm_eps}. This package reads it from bert_config.json."
        )
    if "pooler" in checkpoint.missing:
        losses.append(
            "The checkpoint has no pooler, but the model of google-research/bert needs one: its "
            "weights will be random there until you train it."
        )
    head = checkpoint.head
    if head is not None and (
        head.task == "token_classification" or head.problem_type not in (None, _ONE_LABEL)
    ):
        losses.append(
            "google-research/bert only has classifiers with one label per text: its code will not "
            f"use this {head.problem_type or head.task} head as one. This package reads the head "
            'from "head" in bert_config.json.'
        )
    if "crf" in checkpoint.parts:
        losses.append(
            "google-research/bert has no CRF: its code will ignore these weights, but this package "
            "reads them."
        )
    return losses


def _write_weights(checkpoint: Checkpoint, prefix: pathlib.Path) -> None:
    import tensorflow as tf

    with tf.device("CPU"):
        # A constant made from an array holds it twice; what goes through an operation does not.
        tensors = {n: tf.identity(tf.constant(array)) for n, array in arrays(checkpoint, TF1)}
        try:
            tf.raw_ops.SaveV2(
                prefix=str(prefix),
                tensor_names=list(tensors),
                shape_and_slices=[""] * len(tensors),
                tensors=list(tensors.values()),
            )
        except tf.errors.OpError as error:
            raise OSError(f"{prefix} can't be written: {error.message}") from error


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    fields = checkpoint.config.to_dict()
    if fields["layer_norm_eps"] == _EPSILON:
        del fields["layer_norm_eps"]
    if fields["hidden_act"] == "gelu_erf":
        fields["gelu"] = "erf"
    if fields["hidden_act"].startswith("gelu"):
        fields["hidden_act"] = "gelu"
    if "pooler" in checkpoint.missing:
        fields["pooler"] = False
    if checkpoint.lowercase is not None:
        fields["do_lower_case"] = checkpoint.lowercase
    if checkpoint.head is not None:
        fields["head"] = checkpoint.head.to_dict()
    return fields
