"""Saves a BERT, loaded or trained, to files that other programs read."""

import dataclasses
import functools
import os
import pathlib
import warnings

import keras
import numpy as np

from keras_bert_zh.arguments import check_choice, check_flag, check_path_to_write
from keras_bert_zh.checkpoints import Checkpoint, names
from keras_bert_zh.checkpoints.select import FLOATS, weight_problems
from keras_bert_zh.checkpoints.tensors import Tensor, Weights
from keras_bert_zh.checkpoints.variables import layer_of
from keras_bert_zh.checkpoints.writers import FORMATS
from keras_bert_zh.checkpoints.writers import huggingface as write_huggingface
from keras_bert_zh.checkpoints.writers import keras_hub as write_keras_hub
from keras_bert_zh.checkpoints.writers import original as write_original
from keras_bert_zh.checkpoints.writers.checkpoint_folder import CHECKPOINT
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.heads.on_text import OnText
from keras_bert_zh.layers.adapted import Adapted, to_float32
from keras_bert_zh.preprocess import BertPreprocess
from keras_bert_zh.vocabulary import without_blank_end


def _write_hub(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    from keras_bert_zh.export.hub_module import write  # It imports TensorFlow.

    write(checkpoint, folder)


WRITERS = {
    "huggingface": write_huggingface.write,
    "original": write_original.write,
    "hub": _write_hub,
    "keras_hub": write_keras_hub.write,
}


def save_checkpoint(
    source: BertEncoder | OnEncoder | Checkpoint,
    folder: str | os.PathLike,
    format: str = "huggingface",
    *,
    preprocess: BertPreprocess | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes an encoder, with or without heads, or a checkpoint to a folder of its own.

    The folder is written completely or not at all: after an error, a full disk or a killed process,
    the old content is still there. Weights are written as float32, and LoRA weights are merged
    into their kernels. The heads and labels of a checkpoint are kept, and so are those of a model
    on an encoder, such as MaskedLM and TextClassifier. Other tensors of a checkpoint
    (`Checkpoint.leftovers`) are not written. The pooler and heads of a model are written as they
    are, even if they are random and not trained. Only the format `"huggingface"` stores how a
    SentenceEncoder, or a checkpoint with `pooling`, turns texts into vectors.

    Args:
        source: a BertEncoder, MaskedLM, TextClassifier, TokenTagger, SpanReader or
            SentenceEncoder, or the result of `load_checkpoint`.
        folder: the path to write to. The disk needs room for the new files next to the old ones.
        format: `"huggingface"`, for Transformers and, if there is a pooling, for
            sentence-transformers, with a model card; `"original"`, for the code of
            google-research/bert; `"hub"`, which TensorFlow runs in place of the TF1 Hub
            module; or `"keras_hub"`, a preset of Keras Hub. The last two can't store heads of
            fine-tuned models. `load_checkpoint` reads them all.
        preprocess: BertPreprocess, whose vocabulary and `lowercase` are written. Without it, those
            of the checkpoint, or of a model that takes texts, are written; an encoder has none.
            If no vocabulary is written, a warning says so.
        overwrite: bool, whether to replace a folder that contains a checkpoint and nothing else.
            `load_checkpoint` must be able to open it. Any other folder, one with extra files, or
            a damaged checkpoint is never replaced.

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder is not empty and `overwrite` is not set.
        OSError: if it can't be written.
        ValueError: if `format` is not known, the folder contains anything but a checkpoint, the
            vocabulary does not fit the embeddings, or the weights are quantised, not finite,
            or do not match the configuration.
        TypeError: if `source` or `preprocess` has another type.

    Example:

    >>> import tempfile
    >>> from keras_bert_zh import load_checkpoint, save_checkpoint
    >>> checkpoint = load_checkpoint("tests/fixtures/tiny_tf1_hub")  # in this project's repository
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = save_checkpoint(checkpoint, f"{place}/bert")
    ...     sorted(file.name for file in folder.iterdir())
    ['README.md', 'config.json', 'model.safetensors', 'tokenizer_config.json', 'vocab.txt']
    """
    write = WRITERS[check_choice("format", format, FORMATS)]
    overwrite = check_flag("overwrite", overwrite)
    checkpoint = _checkpoint(source)
    if preprocess is None and isinstance(source, OnText):
        preprocess = source.preprocess
    if preprocess is not None:
        checkpoint = with_vocabulary(checkpoint, preprocess)
    _check_weights(checkpoint)
    folder = check_path_to_write("folder", folder)
    with new_folder(folder, replaces=CHECKPOINT, overwrite=overwrite) as new:
        write(checkpoint, new)
    if checkpoint.vocabulary is None:
        warnings.warn(
            f"{folder} was written without a vocabulary, because the {type(source).__name__} has "
            "none: BertPreprocess can't be loaded from that folder. Pass the model's "
            "BertPreprocess as preprocess=.",
            stacklevel=2,
        )
    pooling = checkpoint.pooling
    if pooling is not None and format != "huggingface" and not pooling.unsupported:
        warnings.warn(
            f"{folder} does not store how texts become vectors ({pooling.mode}, at most "
            f'{pooling.max_length} tokens). Only format="huggingface" stores this.',
            stacklevel=2,
        )
    return folder


def _checkpoint(source: BertEncoder | OnEncoder | Checkpoint) -> Checkpoint:
    if isinstance(source, Checkpoint):
        return source
    if not isinstance(source, BertEncoder | OnEncoder):
        raise TypeError(
            "source must be a BertEncoder, a model on one such as MaskedLM or TextClassifier, or a "
            f"Checkpoint, got {source!r}. From a larger keras.Model, pass the layer that is one of "
            "these; from a path, pass load_checkpoint(path)."
        )
    kinds = {
        name: keras.backend.standardize_dtype(v.dtype)
        for name, v in source.named_variables().items()
    }
    quantised = [f"{name} is {kind}" for name, kind in kinds.items() if kind not in FLOATS]
    if quantised:
        raise ValueError(
            f"{len(quantised)} weights of the {type(source).__name__} are quantised "
            f"({quantised[0]}), but no checkpoint format can store quantised weights. Save the "
            "model before you quantise it."
        )
    return checkpoint_of(source)


def checkpoint_of(source: BertEncoder | OnEncoder) -> Checkpoint:
    """Returns a checkpoint of an encoder or a model on one; weights are read when accessed.

    It has no vocabulary.
    """
    variables = source.named_variables()
    tensors = {
        name: Tensor(tuple(variable.shape), "float32", functools.partial(_read, source, name))
        for name, variable in variables.items()
    }
    if isinstance(source, BertEncoder):
        return Checkpoint(source.config, None, None, Weights(tensors))
    config, fields = source.encoder.config, source.checkpoint_fields()
    return Checkpoint(config, None, None, Weights(tensors), **fields)


def _read(source: BertEncoder | OnEncoder, name: str) -> np.ndarray:
    layer, kind = layer_of(source, name)
    is_adapted = isinstance(layer, Adapted) and kind == layer.adapted
    return layer.merged() if is_adapted else to_float32(getattr(layer, kind))


def with_vocabulary(checkpoint: Checkpoint, preprocess: BertPreprocess) -> Checkpoint:
    """Returns the checkpoint with the vocabulary of a preprocess.

    Raises:
        TypeError: if it is not a BertPreprocess.
        ValueError: if the vocabulary does not fit the embeddings.
    """
    if not isinstance(preprocess, BertPreprocess):
        raise TypeError(f"preprocess must be a BertPreprocess, got {preprocess!r}.")
    tokens = without_blank_end(preprocess.vocabulary, checkpoint.config.vocab_size)
    return dataclasses.replace(checkpoint, vocabulary=tokens, lowercase=preprocess.lowercase)


def _check_weights(checkpoint: Checkpoint) -> None:
    expected = names.shapes(checkpoint.config, checkpoint.parts)
    problems = weight_problems(expected, checkpoint.weights)
    if problems:
        raise ValueError(
            f"The weights do not match the configuration. {len(problems)} found:\n  "
            + "\n  ".join(problems)
        )
