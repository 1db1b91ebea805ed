"""Tensors that a file stores as plain little-endian numbers; they are read later, by offset."""

import math
import pathlib
from typing import NamedTuple

import numpy as np

from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged


class Numbers(NamedTuple):
    """The position of a tensor's numbers in a file.

    Attributes:
        shape: tuple of int.
        dtype: str, its NumPy name.
        places: tuple of pairs of int, the byte at which a run of numbers begins and their count,
            in the order of the runs.
        strides: tuple of int, the stride of each axis, in numbers; `None` for row-major order.
    """

    shape: tuple[int, ...]
    dtype: str
    places: tuple[tuple[int, int], ...]
    strides: tuple[int, ...] | None = None


def tensor(path: pathlib.Path, files: Unchanged, name: str, numbers: Numbers) -> Tensor:
    """Returns the tensor; its `read` raises ValueError if it has NaN or infinite values.

    Args:
        path: the file.
        files: the state of the file when it was opened.
        name: str, the tensor's name in the file.
        numbers: its position.
    """

    def read() -> np.ndarray:
        files.check()
        array = _read(path, numbers)
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} has NaN or infinite values.")
        return array

    return Tensor(numbers.shape, numbers.dtype, read)


def little_endian(dtype: str) -> np.dtype:
    """Returns the little-endian dtype with this name.

    Raises:
        ValueError: if it is not a numeric dtype.
    """
    if dtype == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    found = np.dtype(dtype)
    if found.kind not in "fiub":
        raise ValueError(f"{dtype} is not a numeric dtype")
    return found.newbyteorder("<")


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the strides, in numbers, of an array in row-major order."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _read(path: pathlib.Path, numbers: Numbers) -> np.ndarray:
    dtype = little_endian(numbers.dtype)
    runs = [np.fromfile(path, dtype, count, offset=start) for start, count in numbers.places]
    array = runs[0] if len(runs) == 1 else np.concatenate(runs)
    if numbers.strides is None:
        return array.reshape(numbers.shape)
    strides = [stride * dtype.itemsize for stride in numbers.strides]
    return np.lib.stride_tricks.as_strided(array, numbers.shape, strides).copy()
