"""Tensors in files, read when they are accessed, so that no model is in memory twice."""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

# Rows of a matrix that are transposed together, so that they stay in the cache.
_STRIP = 16


class Tensor(NamedTuple):
    """One tensor in a file.

    Attributes:
        shape: tuple of int.
        dtype: str, NumPy's name of the dtype.
        read: function that reads it; raises ValueError that names the file and the tensor.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]

    def transposed(self) -> "Tensor":
        return Tensor(self.shape[::-1], self.dtype, lambda: _transposed(self.read()))

    def reshaped(self, shape: tuple[int, ...]) -> "Tensor":
        return Tensor(shape, self.dtype, lambda: self.read().reshape(shape))


class Weights(Mapping[str, np.ndarray]):
    """Arrays by name; each is read from its file when you access it, and is not kept.

    When you pickle this, the pickle contains the arrays themselves.

    Args:
        tensors: `Tensor` by name.
    """

    def __init__(self, tensors: Mapping[str, Tensor]):
        self._tensors = dict(tensors)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Weights":
        """Wraps arrays that are already in memory as `Weights`."""
        return cls({name: _in_memory(name, array) for name, array in arrays.items()})

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[name].read()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __reduce__(self):
        return Weights.of_arrays, (dict(self),)

    def __repr__(self) -> str:
        return f"<{len(self)} tensors: {', '.join(list(self)[:2])}, ...>"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes by name; nothing is read."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    @property
    def dtypes(self) -> dict[str, str]:
        """The names of the dtypes by name; nothing is read."""
        return {name: tensor.dtype for name, tensor in self._tensors.items()}

    def verify(self) -> "Weights":
        """Reads every tensor once, so that damage is found now; returns itself."""
        for tensor in self._tensors.values():
            tensor.read()
        return self

    def watched(self, callback: Callable[[str], None]) -> "Weights":
        """Returns the same weights; after each read, `callback` gets the name of the weight."""

        def watch(name: str, tensor: Tensor) -> Tensor:
            def read() -> np.ndarray:
                array = tensor.read()
                callback(name)
                return array

            return tensor._replace(read=read)

        return Weights({name: watch(name, tensor) for name, tensor in self._tensors.items()})

    def only(self, names: Iterable[str]) -> "Weights":
        """Returns the weights with these names, if they exist, in the order of the names."""
        return Weights({name: self._tensors[name] for name in names if name in self._tensors})


def _in_memory(name: str, array: np.ndarray) -> Tensor:
    array = np.asarray(array)
    if array.dtype == object:
        raise TypeError(f"The weight {name} must be an array of floats, got {array!r}.")
    # A copy, as from a file: nobody else may change what came out of here.
    return Tensor(tuple(array.shape), array.dtype.name, array.copy)


def _transposed(matrix: np.ndarray) -> np.ndarray:
    """Returns the transpose as a new array, strip by strip: NumPy takes twice as long."""
    result = np.empty(matrix.shape[::-1], matrix.dtype)
    for start in range(0, len(matrix), _STRIP):
        result[:, start : start + _STRIP] = matrix[start : start + _STRIP].T
    return result


class Unchanged:
    """Detects changes of files that are read piece by piece.

    Args:
        paths: the files.
    """

    def __init__(self, paths: Iterable[pathlib.Path]):
        self._stamps = {path: _stamp(path) for path in paths}

    def check(self) -> None:
        """Raises ValueError if a file was changed, replaced or deleted since then."""
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                raise ValueError(
                    f"{path} has changed since the checkpoint was opened: load it again."
                )


def _stamp(path: pathlib.Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
