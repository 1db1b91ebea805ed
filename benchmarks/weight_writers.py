"""Writes the weights of a Hugging Face folder in all other kinds of files that it may have."""

import pathlib
import shutil
from collections.abc import Callable, Mapping

import h5py
import msgpack
import numpy as np
from safetensors.numpy import load_file

from keras_bert_zh.checkpoints.weight_kinds import SAFETENSORS
from tests.checkpoints.readers.torch_writer import write_state_dict

Tensors = Mapping[str, np.ndarray]


def write_others(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the folder of each kind, beside the given one, by what it is called in a report."""
    tensors = load_file(folder / SAFETENSORS.file)
    written = {}
    for number, (name, (file, write)) in enumerate(_WRITERS.items()):
        written[name] = folder.with_name(f"{folder.name}-{number}")
        shutil.copytree(folder, written[name], ignore=lambda *_: {SAFETENSORS.file})
        write(written[name] / file, tensors)
    return written


def _write_h5(path: pathlib.Path, tensors: Tensors) -> None:
    last = {"embeddings": "embeddings", "kernel": "kernel", "gamma": "gamma", "bias": "bias"}
    with h5py.File(path, "w") as file:
        for name, array in tensors.items():
            kind, values = _of_keras(name, array)
            path = name.rpartition(".")[0].replace(".", "/").replace("/layer/", "/layer_._")
            file[f"bert/tf_bert_model/bert/{path}/{last[kind]}:0"] = values


def _write_msgpack(path: pathlib.Path, tensors: Tensors) -> None:
    last = {"embeddings": "embedding", "kernel": "kernel", "gamma": "scale", "bias": "bias"}
    tree: dict = {}
    for name, array in tensors.items():
        kind, values = _of_keras(name, array)
        *parts, _ = name.split(".")
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {})
        packed = msgpack.packb((values.shape, values.dtype.name, values.tobytes()))
        branch[last[kind]] = msgpack.ExtType(1, packed)
    path.write_bytes(msgpack.packb(tree))


def _of_keras(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Returns what Keras calls such a tensor, and the tensor as Keras has it."""
    if name.endswith("bias"):
        return "bias", array
    if array.ndim == 1:
        return "gamma", array
    if "embeddings" in name:
        return "embeddings", array
    return "kernel", np.ascontiguousarray(array.T)


def _write_before_zip(path: pathlib.Path, tensors: Tensors) -> None:
    write_state_dict(path, tensors, before_zip=True)


_WRITERS: Mapping[str, tuple[str, Callable[[pathlib.Path, Tensors], None]]] = {
    "tf_model.h5": ("tf_model.h5", _write_h5),
    "flax_model.msgpack": ("flax_model.msgpack", _write_msgpack),
    "pytorch_model.bin": ("pytorch_model.bin", write_state_dict),
    "pytorch_model.bin before torch 1.6": ("pytorch_model.bin", _write_before_zip),
}
