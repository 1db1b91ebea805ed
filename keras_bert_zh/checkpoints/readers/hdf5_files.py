"""Opens HDF5 files as Keras writes them; their tensors are read later."""

import pathlib
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

# What h5py raises for damaged files.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def open_tensors(path: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors of the file by their paths in it, such as `layers/dense/vars/0`.

    Links to other files are not followed: a tensor that one stands for is not there.

    Raises:
        ValueError: if the file is damaged, cut off or keeps values in another file; a tensor's
            `read`, if it holds numbers that are not finite. The format has no checksums: other
            flipped bits show only where the file's sha256 is known.

    Reference:
        https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html; `H5IOStore` in Keras's
        `saving_lib.py`.
    """
    import h5py

    files = Unchanged([path])
    tensors: dict[str, Tensor] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name] = _tensor(path, files, name, item)

    try:
        # Opening compares the length of the file with what its head says.
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except _DAMAGE as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    return tensors


def _tensor(path: pathlib.Path, files: Unchanged, name: str, dataset: Any) -> Tensor:
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} has its values in another file.")
    shape = dataset.shape
    # Keras keeps bfloat16 as two bytes without a meaning, and notes what they are.
    dtype = "bfloat16" if dataset.attrs.get("dtype") == "bfloat16" else dataset.dtype.name

    def read() -> np.ndarray:
        import h5py

        files.check()
        try:
            with h5py.File(path, "r") as file:
                array = file[name][()]
        except _DAMAGE as error:
            raise ValueError(f"{path}: {name} can't be read: {error}") from error
        array = _as(array, dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds numbers that are not finite.")
        return array

    return Tensor(shape, dtype, read)


def _as(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bfloat16":
        import ml_dtypes

        return array.view(ml_dtypes.bfloat16)
    return array.astype(dtype, copy=False)  # In the order of bytes that this machine has.
