"""Opens HDF5 files of Transformers and Keras with h5py; their tensors are read later."""

import pathlib
import re
from collections.abc import Callable

from keras_bert_zh.checkpoints.readers.plain_numbers import Numbers, little_endian, tensor
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

# The last part of a name, and what it is called in Transformers' models of torch.
_LAST = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}


def _torch_name(name: str) -> str:
    """Returns `bert.pooler.dense.weight` for `bert/CLASS/bert/pooler/dense/kernel:0`.

    The first two parts are the layer that Keras saved, and the model's class or the name that the
    user gave it. `mlm___cls` is the masked language model's `cls`; `layer_._0` is `layer.0`.
    """
    path = re.sub(r"[^/]*___", "", name.partition(":")[0]).replace("_._", "/")
    *parts, last = path.split("/")[2:] or [path]
    return ".".join([*parts, _LAST.get(last, last)])


def open_tensors(
    path: pathlib.Path, rename: Callable[[str], str] = _torch_name
) -> dict[str, Tensor]:
    """Returns the tensors of a `tf_model.h5` by their names in PyTorch models.

    Kernels are `[in, out]`.

    Args:
        path: the file.
        rename: converts a path in the file to a name; pass `str` to keep the path.

    Raises:
        ValueError: if the file is damaged or incomplete, or stores a tensor in a way that Keras
            does not. A tensor's `read` also raises it if it has NaN or infinite values. The format
            has no checksums, so other damage is not detected.

    Reference:
        `convert_tf_weight_name_to_pt_weight_name` in `modeling_tf_pytorch_utils.py` of
        Transformers 4.
    """
    import h5py

    files = Unchanged([path])
    found: dict[str, Numbers] = {}

    def visit(name: str, entry: h5py.HLObject) -> None:
        if isinstance(entry, h5py.Dataset):
            numbers = _numbers(name, entry)
            # The masked language model repeats the embeddings that it shares with BERT.
            if found.setdefault(rename(name), numbers).shape != numbers.shape:
                raise ValueError(f"its {name} occurs twice, with different shapes")

    try:
        # h5py compares the size of the file with what its first block says.
        with h5py.File(path, "r") as file:
            file.visititems(visit)  # Follows no link to another file.
        size = path.stat().st_size
        for name, numbers in found.items():
            ((start, count),) = numbers.places
            if start + count * little_endian(numbers.dtype).itemsize > size:
                raise ValueError(f"its {name} is incomplete")
    except Exception as error:  # From OSError to RuntimeError and UnicodeDecodeError.
        raise ValueError(f"{path} can't be read: {error}") from error
    return {name: tensor(path, files, name, numbers) for name, numbers in found.items()}


def _numbers(name: str, dataset) -> Numbers:
    start = dataset.id.get_offset()
    if start is None or dataset.dtype.byteorder == ">":
        raise ValueError(
            f"its {name} is compressed, chunked, stored in another file, or not little-endian; "
            "files from Transformers or Keras never are"
        )
    # Keras keeps bfloat16 as two bytes without a meaning, and notes what they are.
    is_bfloat16 = dataset.attrs.get("dtype") == "bfloat16"
    dtype = "bfloat16" if is_bfloat16 else dataset.dtype.name
    return Numbers(dataset.shape, dtype, ((start, dataset.size),))
