"""Writes how a model turns a text into a vector, for sentence-transformers."""

import pathlib
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.checkpoints.readers.sentence_transformers import (
    DENSE_WEIGHTS,
    LENGTH,
    MODULES,
    PROMPTS,
    TANH,
)
from keras_bert_zh.checkpoints.writers.parts import finite, write_json, write_tensors

# Where versions 2 to 6 find the classes of modules, and how all of them read their settings.
_MODELS = "sentence_transformers.models"
_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
}


def write_pooling(checkpoint: Checkpoint, pooling: Pooling, folder: pathlib.Path) -> None:
    """Writes these files next to those of the BERT, in a form that versions 2 to 6 read.

    Version 2 has nothing like `"pooled_output"` and `include_prompt=False`. The pooler is
    written as a separate module, which computes the same.

    Raises:
        ValueError: if a weight of the pooler is not finite.
        OSError: if a file can't be written.

    Reference:
        `SentenceTransformer`, `Transformer`, `Pooling`, `Dense` and `Normalize` in
        sentence-transformers.
    """
    modules = [_entry(0, "", "Transformer")]
    for index, (kind, fields) in enumerate(_modules(checkpoint, pooling).items(), start=1):
        path = f"{index}_{kind}"
        modules.append(_entry(index, path, kind))
        (folder / path).mkdir()
        write_json(folder / path / "config.json", fields)
        if kind == "Dense":
            write_tensors(_pooler(checkpoint), folder / path / DENSE_WEIGHTS)
    write_json(folder / MODULES, modules)
    write_json(
        folder / LENGTH,
        {"max_seq_length": pooling.max_length, "do_lower_case": pooling.lowercase},
    )
    write_json(
        folder / PROMPTS,
        {"prompts": dict(pooling.prompts), "default_prompt_name": pooling.default_prompt},
    )


def _entry(index: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": index, "name": f"{index}", "path": path, "type": f"{_MODELS}.{kind}"}


def _modules(checkpoint: Checkpoint, pooling: Pooling) -> dict[str, dict[str, Any]]:
    """Returns the settings of the modules after the BERT, by their kind."""
    size = checkpoint.config.hidden_size
    mode = "cls" if pooling.mode == "pooled_output" else pooling.mode
    fields = {flag: mode == name for name, flag in _FLAGS.items()}
    if not pooling.include_prompt:
        fields["include_prompt"] = False  # Version 2 refuses the key.
    modules: dict[str, dict[str, Any]] = {"Pooling": {"word_embedding_dimension": size, **fields}}
    if pooling.mode == "pooled_output":
        sizes = {"in_features": size, "out_features": size}
        modules["Dense"] = {**sizes, "bias": True, "activation_function": TANH}
    if pooling.normalize:
        modules["Normalize"] = {}
    return modules


def _pooler(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    kernel, bias = (
        finite(name, checkpoint.weights[name])
        for name in ("pooler.dense.kernel", "pooler.dense.bias")
    )
    return {"linear.weight": np.ascontiguousarray(kernel.T), "linear.bias": bias}
