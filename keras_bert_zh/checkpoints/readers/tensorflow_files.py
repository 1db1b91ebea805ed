"""Opens a TensorFlow checkpoint, `PREFIX.index` and `PREFIX.data-*`; its tensors are read later."""

import pathlib

import numpy as np

from keras_bert_zh.checkpoints.readers.tensor_index import data_sizes
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

# The tensor in which TensorFlow 2 says which object has which variable.
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def open_tensors(prefix: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors by their names in the file.

    Raises:
        ValueError: if the index is damaged, or if a data file is missing or does not have the size
            in the index. A tensor's `read` also raises it if its data are damaged: TensorFlow
            verifies a checksum for each tensor that is read.
    """
    import tensorflow as tf

    if set("*?[") & set(str(prefix)):
        raise ValueError(
            f"{prefix}: TensorFlow treats *, ? and [ in a path as wildcards. Rename the folder."
        )
    files = Unchanged([pathlib.Path(f"{prefix}.index"), *_data_files(prefix)])
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except Exception as error:  # The reader raises anything from OpError to IndexError.
        raise ValueError(f"{prefix}.index can't be read: {error}") from error
    _check_sizes(prefix)

    def tensor(name: str) -> Tensor:
        def read() -> np.ndarray:
            files.check()
            try:
                return reader.get_tensor(name)
            except Exception as error:
                raise ValueError(f"{prefix}.data-*: {name} can't be read: {error}") from error

        return Tensor(tuple(shapes[name]), dtypes[name].name, read)

    return {name: tensor(name) for name in sorted(shapes)}


def read_flag(prefix: pathlib.Path, name: str, tensor: Tensor) -> bool:
    """Returns the value of a tensor that must be one bool."""
    if tensor.dtype != "bool" or tensor.shape:
        raise ValueError(
            f"{prefix}.index: {name} must be a bool scalar, got {tensor.dtype} of shape "
            f"{list(tensor.shape)}."
        )
    return bool(tensor.read())


def _check_sizes(prefix: pathlib.Path) -> None:
    index = pathlib.Path(f"{prefix}.index")
    for name, expected in data_sizes(index).items():
        file = prefix.with_name(name)
        if not file.is_file():
            raise ValueError(f"{file} is missing, expected a file of {expected:,} bytes.")
        found = file.stat().st_size
        if found != expected:
            raise ValueError(
                f"{file} has {found:,} bytes, expected {expected:,} from {index.name}: it is "
                "incomplete, or belongs to another checkpoint. Copy or download both files again."
            )


def _data_files(prefix: pathlib.Path) -> list[pathlib.Path]:
    start = f"{prefix.name}.data-"
    return sorted(file for file in prefix.parent.iterdir() if file.name.startswith(start))
