"""Reads how a Sentence Transformers model computes the vector of a text."""

import pathlib
import re
import warnings
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.checkpoints.readers.json_files import read_json, read_json_list
from keras_bert_zh.checkpoints.readers.safetensors_files import open_tensors
from keras_bert_zh.checkpoints.tensors import Weights
from keras_bert_zh.config import BertConfig

MODULES = "modules.json"
LENGTH = "sentence_bert_config.json"
PROMPTS = "config_sentence_transformers.json"
DENSE_WEIGHTS = "model.safetensors"
TANH = "torch.nn.modules.activation.Tanh"

_VECTOR = "sentence_embedding"
_TASK = "feature-extraction"
# `pooling_mode_cls_token` and the like, until version 5.
_FLAG = re.compile("pooling_mode_(.+?)(?:_tokens?)?")


def read_pooling(folder: pathlib.Path, config: BertConfig, weights: Weights) -> Pooling | None:
    """Returns the pooling that the folder defines, or None if it does not define one.

    Args:
        folder: the folder.
        config: BertConfig of the BERT in it.
        weights: the weights of this BERT.

    Raises:
        ValueError: if a file is damaged, or has a value that is not valid.

    Reference:
        The files that `SentenceTransformer.save` writes, of versions 2 to 6.
    """
    if not (folder / MODULES).is_file():
        return None
    modules = [_module(folder, entry) for entry in read_json_list(folder / MODULES)]
    kinds = [kind for kind, _ in modules]
    if "Pooling" not in kinds:
        return None
    path = modules[kinds.index("Pooling")][1] / "config.json"
    fields = read_json(path)
    mode, positions = _mode(fields), config.max_position_embeddings
    if kinds[1:3] == ["Pooling", "Dense"] and mode == "cls" and _is_pooler(modules[2][1], weights):
        mode = "pooled_output"
        del modules[2]
    normalize, beyond = _around(folder, modules)
    text = _settings(folder / LENGTH)
    task = text.get("transformer_task", _TASK)
    pooling = Pooling(
        mode=mode,
        max_length=min(_length(folder, text, positions), positions),
        normalize=normalize,
        include_prompt=_flag(path, fields, "include_prompt", default=True),
        lowercase=_flag(folder / LENGTH, text, "do_lower_case", default=False),
        beyond=(*beyond, *([] if task == _TASK else [f"transformer_task={task!r}"])),
        **_prompts(folder / PROMPTS),
    )
    if pooling.unsupported:
        warnings.warn(
            f"{folder} is a Sentence Transformers model with steps that this package does not "
            f"support: {', '.join(pooling.unsupported)}. You can use its BERT in BertEncoder, but "
            "not in SentenceEncoder. save_checkpoint and convert write the BERT without these "
            "steps.",
            stacklevel=2,
        )
    return pooling


def _module(folder: pathlib.Path, entry: Any) -> tuple[str, pathlib.Path]:
    """Returns the kind of a module, which is the name of its class, and its folder."""
    kind, path = (entry.get(key) if isinstance(entry, dict) else None for key in ("type", "path"))
    if not isinstance(kind, str) or not isinstance(path, str):
        raise ValueError(
            f"{folder / MODULES} must give a type and a path for each module, got {entry!r}."
        )
    # A longer path could lead out of the folder.
    if path not in ("", ".") and (pathlib.PurePath(path).name != path or path == ".."):
        raise ValueError(f"{folder / MODULES} names {path!r}, which is not a folder in {folder}.")
    return kind.rpartition(".")[2], folder / path


def _is_pooler(path: pathlib.Path, weights: Weights) -> bool:
    """Tells whether a dense module repeats the pooler of BERT."""
    fields, file = _settings(path / "config.json"), path / DENSE_WEIGHTS
    plain = {"activation_function": TANH, "bias": True, "use_residual": False}
    if any(fields.get(key, value) != value for key, value in plain.items()) or not file.is_file():
        return False
    ours = {"linear.weight": "pooler.dense.kernel", "linear.bias": "pooler.dense.bias"}
    tensors = open_tensors(file)
    return tensors.keys() == ours.keys() and all(
        name in weights and np.array_equal(tensors[key].read().T, weights[name])
        for key, name in ours.items()
    )


def _around(
    folder: pathlib.Path, modules: list[tuple[str, pathlib.Path]]
) -> tuple[bool, list[str]]:
    """Returns whether vectors are normalised after pooling, and the names of other modules."""
    beyond: list[str] = []
    normalize = pooled = False
    for index, (kind, path) in enumerate(modules):
        if index == 0 and kind == "Transformer" and path == folder:
            continue
        if kind == "Pooling" and index == 1:
            pooled = True
        elif kind == "Normalize" and pooled and not beyond and _scales_vectors(path):
            normalize = True
        else:
            beyond.append(f"{kind} in {path.name}")
    return normalize, beyond


def _scales_vectors(path: pathlib.Path) -> bool:
    return _settings(path / "config.json").get("module_input_name", _VECTOR) == _VECTOR


def _mode(fields: dict[str, Any]) -> str:
    """Returns the pooling mode; several modes, whose vectors are joined, have a + between."""
    mode = fields.get("pooling_mode")
    if mode is None:
        flags = [_FLAG.fullmatch(name) for name, value in fields.items() if value is True]
        mode = [flag[1] for flag in flags if flag] or ["mean"]
    return "+".join(map(str, mode)) if isinstance(mode, list) else str(mode)


def _length(folder: pathlib.Path, text: dict[str, Any], positions: int) -> int:
    length = text.get("max_seq_length")
    if length is None:  # Newer files leave it to the tokeniser.
        length = _settings(folder / "tokenizer_config.json").get("model_max_length", positions)
    if not isinstance(length, int) or length < 3:
        raise ValueError(
            f"{folder}: max_seq_length or model_max_length must be an int of at least 3, got "
            f"{length!r}."
        )
    return length


def _prompts(path: pathlib.Path) -> dict[str, Any]:
    fields = _settings(path)
    prompts, default = fields.get("prompts") or {}, fields.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise ValueError(f"{path}: prompts must map names to strings, got {prompts!r}.")
    if default is not None and default not in prompts:
        raise ValueError(
            f"{path}: default_prompt_name must be one of {[*prompts]}, got {default!r}."
        )
    return {"prompts": prompts, "default_prompt": default}


def _flag(path: pathlib.Path, fields: dict[str, Any], name: str, *, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{path}: {name} must be true or false, got {value!r}.")
    return value


def _settings(path: pathlib.Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
