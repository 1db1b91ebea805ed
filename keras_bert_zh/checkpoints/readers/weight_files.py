"""Opens the weights of a Hugging Face folder, in the safest format that it has."""

import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from keras_bert_zh.checkpoints.readers import (
    h5_files,
    msgpack_files,
    safetensors_files,
    torch_files,
)
from keras_bert_zh.checkpoints.readers.json_files import read_json
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.checkpoints.weight_kinds import SAFETENSORS, Kind, safest

_OPEN: Mapping[str, Callable[[pathlib.Path], dict[str, Tensor]]] = {
    ".safetensors": safetensors_files.open_tensors,
    ".h5": h5_files.open_tensors,
    ".msgpack": msgpack_files.open_tensors,
    ".bin": torch_files.open_tensors,
}
_POINTER = b"version https://git-lfs"
# Their kernels are [in, out] already.
_OF_KERAS_AND_FLAX = (".h5", ".msgpack")


class WeightFiles(NamedTuple):
    """The weights of a folder.

    Attributes:
        path: the file, or the index of the shards.
        tensors: `Tensor` by the names in Transformers' PyTorch models.
        transposed: bool, whether kernels are `[out, in]`, as in PyTorch.
    """

    path: pathlib.Path
    tensors: dict[str, Tensor]
    transposed: bool


def kind_in(folder: pathlib.Path) -> Kind | None:
    """Returns the safest kind of weights in the folder, `None` if there are none."""
    return safest([entry.name for entry in folder.iterdir() if entry.is_file()])


def open_weights(folder: pathlib.Path) -> WeightFiles:
    """Opens the weights in the safest format. If they are damaged, no other format is tried.

    Raises:
        ValueError: if a file is damaged or missing, or two shards have a tensor of the same name.
    """
    kind = kind_in(folder) or SAFETENSORS
    path = folder / kind.file
    files = [path]
    if kind.shard_index and not path.is_file():
        path = folder / kind.shard_index
        files = _shards(path)
    tensors: dict[str, Tensor] = {}
    for file in files:
        _check_content(file)
        found = _OPEN[file.suffix](file)
        twice = sorted(tensors.keys() & found)
        if twice:
            raise ValueError(f"{file} contains {twice[0]}, which another file already contains.")
        tensors |= found
    return WeightFiles(path, tensors, path.suffix not in _OF_KERAS_AND_FLAX)


def _check_content(file: pathlib.Path) -> None:
    """Raises ValueError if a file is a Git LFS pointer to the real file."""
    if file.is_file():
        with file.open("rb") as opened:
            if opened.read(len(_POINTER)) == _POINTER:
                raise ValueError(
                    f"{file} is a Git LFS pointer and not the file itself: run `git lfs pull` "
                    "in its repository, or download it again."
                )


def _shards(index: pathlib.Path) -> list[pathlib.Path]:
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ValueError(f"{index} has no weight_map from tensor names to files.")
    suffix = index.name.removesuffix(".index.json").rpartition(".")[2]
    files = sorted({str(file) for file in shards.values()})
    for file in files:
        path = index.with_name(file) if pathlib.PurePath(file).name == file else None
        # A longer path could lead out of the folder.
        if not path or path.suffix != f".{suffix}" or not path.is_file():
            raise ValueError(f"{index} names {file!r}, which is not a file in {index.parent}.")
    return [index.with_name(file) for file in files]
