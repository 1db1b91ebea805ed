"""Tensors that a file holds as plain little-endian numbers; they are read later, by offset."""

import math
import pathlib
from typing import NamedTuple

import numpy as np

from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged


class Numbers(NamedTuple):
    """Where the numbers of a tensor lie in a file.

    Attributes:
        shape: tuple of int.
        dtype: str, NumPy's name of it.
        places: tuple of pairs of int: at which byte a run of numbers begins, and how many they
            are. One run follows the other.
        strides: tuple of int: how many numbers further the next one of each axis is; `None` if
            they are in order of rows.
    """

    shape: tuple[int, ...]
    dtype: str
    places: tuple[tuple[int, int], ...]
    strides: tuple[int, ...] | None = None


def tensor(path: pathlib.Path, files: Unchanged, name: str, numbers: Numbers) -> Tensor:
    """Returns the tensor; its `read` raises ValueError if it holds numbers that are not finite.

    Args:
        path: the file.
        files: what that file was when it was opened.
        name: str, the tensor's name in the file.
        numbers: where it lies.
    """

    def read() -> np.ndarray:
        files.check()
        array = _read(path, numbers)
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds numbers that are not finite.")
        return array

    return Tensor(numbers.shape, numbers.dtype, read)


def little_endian(dtype: str) -> np.dtype:
    """Returns the dtype of this name as files hold it.

    Raises:
        ValueError: if it is no dtype of numbers.
    """
    if dtype == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    found = np.dtype(dtype)
    if found.kind not in "fiub":
        raise ValueError(f"{dtype} is no dtype of numbers")
    return found.newbyteorder("<")


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the strides, in numbers, of an array in order of rows."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _read(path: pathlib.Path, numbers: Numbers) -> np.ndarray:
    dtype = little_endian(numbers.dtype)
    runs = [np.fromfile(path, dtype, count, offset=start) for start, count in numbers.places]
    array = runs[0] if len(runs) == 1 else np.concatenate(runs)
    if numbers.strides is None:
        return array.reshape(numbers.shape)
    strides = [stride * dtype.itemsize for stride in numbers.strides]
    return np.lib.stride_tricks.as_strided(array, numbers.shape, strides).copy()
