"""The definition of an export format."""

from collections.abc import Callable
from typing import NamedTuple

from keras_bert_zh.files.replaceable import Files

# The file of a LiteRT model.
LITERT = "model.tflite"


class Written(NamedTuple):
    """What the writer of a format returns.

    Attributes:
        inputs: dict, the name in the file of each kind of ids that it takes: all or some of
            `OfIds.takes`.
        dtype: str, the dtype that the file computes in.
    """

    inputs: dict[str, str]
    dtype: str


class Format(NamedTuple):
    """A format that models can be exported to.

    Attributes:
        write: writes the model's files to an existing folder, from its OfIds and the requested
            dtype, or `None`. In the files, outputs have the names in `OfIds.outputs`. With
            `of_texts` it takes OfTensors too.
        files: patterns of the names of its files, by subfolder.
        dtypes: the dtypes that can be requested.
        computes: str, the only dtype that a model may compute in when it is written: a model
            in another dtype is converted first. `None`: the requested dtype, or the model's own.
        of_texts: bool, whether its files take texts and tensors like the model.
        options: the further arguments of `write`.
    """

    write: Callable[..., Written]
    files: Files
    dtypes: tuple[str, ...]
    computes: str | None = None
    of_texts: bool = False
    options: tuple[str, ...] = ()
