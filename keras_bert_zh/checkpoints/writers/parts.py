"""Functions that the writers of several formats share."""

import dataclasses
import json
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.schemes import Scheme
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import check_vocabulary, parse_vocabulary


def arrays(checkpoint: Checkpoint, scheme: Scheme) -> Iterator[tuple[str, np.ndarray]]:
    """Yields every weight as a format stores it, with its name in that format; one at a time.

    Raises:
        ValueError: if a weight is not finite as float32.
    """
    layers = checkpoint.config.num_hidden_layers
    theirs = names.translation(scheme.names, layers, checkpoint.parts)
    for ours in names.shapes(checkpoint.config, checkpoint.parts):
        array = finite(ours, checkpoint.weights[ours])
        yield theirs[ours], np.ascontiguousarray(array.T if scheme.is_transposed(ours) else array)


def without_head(checkpoint: Checkpoint, format: str, *, stacklevel: int) -> Checkpoint:
    """Returns a checkpoint without the head of a fine-tuned model, and warns about it.

    Args:
        checkpoint: the checkpoint.
        format: str, the format that is written, which has no such heads.
        stacklevel: int, the stack level of the warning: where it is saved.
    """
    head = checkpoint.head
    if head is None:
        return checkpoint
    warnings.warn(
        f"{format} can't store the head of a fine-tuned model: the {head.task} head is left out. "
        'To keep it, save with format="huggingface" or "original".',
        stacklevel=stacklevel,
    )
    kept = [name for name in checkpoint.weights if names.part_of(name) not in (head.part, "crf")]
    return dataclasses.replace(checkpoint, head=None, weights=checkpoint.weights.only(kept))


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Returns the array as float32; raises ValueError if a value is NaN or infinite."""
    with np.errstate(over="ignore"):
        array = array.astype("float32", copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinite values: nothing was written.")
    return array


def check_embeddings(config: BertConfig) -> None:
    """Raises ValueError if a format that is only for BERT can't store the embeddings of a model."""
    name = "task_type_vocab_size" if config.task_type_vocab_size else "embedding_size"
    if getattr(config, name):
        raise ValueError(
            f"This format is only for BERT and can't store the {name}={getattr(config, name)} of "
            f'model_type={config.model_type!r}. Save with format="huggingface".'
        )


def check_path(folder: pathlib.Path) -> None:
    """Raises ValueError if TensorFlow could not read a checkpoint there."""
    if set("*?[") & set(str(folder)):
        raise ValueError(
            f"A checkpoint at {folder} could not be read again: TensorFlow treats *, ? and [ in "
            "the path of a checkpoint as wildcards. Choose another path."
        )


def write_vocabulary(path: pathlib.Path, vocabulary: tuple[str, ...]) -> None:
    """Writes a `vocab.txt`, one token per line.

    Raises:
        ValueError: if reading it would give other tokens, or a special token is missing.
    """
    content = "".join(f"{token}\n" for token in check_vocabulary(vocabulary)).encode()
    if parse_vocabulary(content) != tuple(vocabulary):
        # A byte order mark breaks the first one alone.
        index = next((i for i, token in enumerate(vocabulary) if _breaks(token)), 0)
        raise ValueError(
            f"Token {index} of the vocabulary, {vocabulary[index]!r}, can't be written to "
            f"{path.name}, which has one token per line: a token can't contain a line break, begin "
            "or end with whitespace, or begin the file with a byte order mark."
        )
    path.write_bytes(content)


def write_tensors(tensors: dict[str, np.ndarray], path: pathlib.Path) -> None:
    """Writes a safetensors file.

    Raises:
        OSError: if it can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        # Transformers refuses files that do not say which framework laid the tensors out.
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(f"{path} can't be written: {error}") from error


def write_json(path: pathlib.Path, fields: dict[str, Any] | list[Any]) -> None:
    """Writes a JSON object or array."""
    text = json.dumps(fields, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _breaks(token: str) -> bool:
    return "\n" in token or token != token.strip()
