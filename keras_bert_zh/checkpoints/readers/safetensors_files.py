"""Opens safetensors files; their tensors are read later."""

import pathlib
from collections.abc import Iterable

import numpy as np

from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


def open_tensors(paths: Iterable[pathlib.Path]) -> dict[str, Tensor]:
    """Returns the tensors of all the files by the names they have there.

    Raises:
        ValueError: if a file is damaged, or two of them hold a tensor of the same name; a tensor's
            `read`, if it holds numbers that are not finite. The format has no checksums: other
            flipped bits show only where the file's sha256 is known.
    """
    from safetensors import SafetensorError, safe_open

    def tensor(path: pathlib.Path, files: Unchanged, name: str, view) -> Tensor:
        def read() -> np.ndarray:
            files.check()
            # Opened anew for each tensor: what was mapped before would stay in memory.
            with safe_open(path, framework="numpy") as file:
                array = file.get_tensor(name)
            if not np.isfinite(array).all():
                raise ValueError(f"{path}: {name} holds numbers that are not finite.")
            return array

        kind = view.get_dtype()
        return Tensor(tuple(view.get_shape()), _DTYPES.get(kind, kind), read)

    tensors = {}
    for path in paths:
        files = Unchanged([path])
        try:
            with safe_open(path, framework="numpy") as file:
                found = {
                    name: tensor(path, files, name, file.get_slice(name))
                    for name in sorted(file.keys())
                }
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} can't be read: {error}") from error
        twice = sorted(tensors.keys() & found)
        if twice:
            raise ValueError(f"{path} holds {twice[0]}, which another file holds already.")
        tensors |= found
    return tensors
