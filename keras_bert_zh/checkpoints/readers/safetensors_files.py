"""Opens safetensors files; their tensors are read later."""

import json
import math
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


def open_tensors(paths: Iterable[pathlib.Path]) -> dict[str, Tensor]:
    """Returns the tensors of all the files by the names they have there.

    Raises:
        ValueError: if a file is damaged, or two of them hold a tensor of the same name; a tensor's
            `read`, if it holds numbers that are not finite. The format has no checksums: other
            flipped bits show only where the file's sha256 is known.

    Reference:
        https://github.com/huggingface/safetensors#format
    """
    tensors: dict[str, Tensor] = {}
    for path in paths:
        files = Unchanged([path])
        start, header = _header(path)
        twice = sorted(tensors.keys() & header)
        if twice:
            raise ValueError(f"{path} holds {twice[0]}, which another file holds already.")
        for name in sorted(header):
            tensors[name] = _tensor(path, files, name, start, header[name])
    return tensors


def _header(path: pathlib.Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Returns where the data begin, and what the file says of each tensor."""
    from safetensors import SafetensorError, safe_open

    try:
        # It checks everything that the header says against the size of the file.
        with safe_open(path, framework="numpy"), path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    return 8 + size, {name: entry for name, entry in header.items() if name != "__metadata__"}


def _tensor(
    path: pathlib.Path, files: Unchanged, name: str, start: int, entry: dict[str, Any]
) -> Tensor:
    shape = tuple(entry["shape"])
    dtype = _DTYPES.get(entry["dtype"], entry["dtype"])

    def read() -> np.ndarray:
        files.check()
        # Not by the library, which maps the file: that takes longer, and what was mapped would
        # count for this process as long as the file is open.
        array = np.fromfile(
            path, _little_endian(dtype), math.prod(shape), offset=start + entry["data_offsets"][0]
        ).reshape(shape)
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds numbers that are not finite.")
        return array

    return Tensor(shape, dtype, read)


def _little_endian(dtype: str) -> np.dtype:
    if dtype == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(dtype).newbyteorder("<")
