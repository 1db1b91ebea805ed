"""Opens a safetensors file; its tensors are read later."""

import json
import math
import pathlib
from typing import Any

from keras_bert_zh.checkpoints.readers.plain_numbers import Numbers, tensor
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


def open_tensors(path: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors by their names in the file.

    The safetensors library does not read the tensors, because it maps the file into memory: that
    is slower, and the mapped memory counts for this process as long as the file is open.

    Raises:
        ValueError: if the file is damaged. A tensor's `read` also raises it if it has NaN or
            infinite values. The format has no checksums: other damage is detected only if the
            file's sha256 is known.

    Reference:
        https://github.com/huggingface/safetensors#format
    """
    files = Unchanged([path])
    start, header = _header(path)

    def numbers(entry: dict[str, Any]) -> Numbers:
        shape = tuple(entry["shape"])
        dtype = _DTYPES.get(entry["dtype"], entry["dtype"])
        return Numbers(shape, dtype, ((start + entry["data_offsets"][0], math.prod(shape)),))

    return {name: tensor(path, files, name, numbers(header[name])) for name in sorted(header)}


def _header(path: pathlib.Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Returns the position of the data, and the header's entry for each tensor."""
    from safetensors import SafetensorError, safe_open

    try:
        # It checks everything that the header says against the size of the file.
        with safe_open(path, framework="numpy"), path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    return 8 + size, {name: entry for name, entry in header.items() if name != "__metadata__"}
