"""What a format is that models are exported to."""

from collections.abc import Callable
from typing import NamedTuple

from keras_bert_zh.files.replaceable import Files

# The file of a LiteRT model.
LITERT = "model.tflite"


class Written(NamedTuple):
    """What a format's writer has to tell.

    Attributes:
        inputs: dict, the name in the file of each of the ids that it takes, which are all or some
            of `OfIds.takes`.
        dtype: str, what the file computes in.
    """

    inputs: dict[str, str]
    dtype: str


class Format(NamedTuple):
    """A format that models are exported to.

    Attributes:
        write: writes the model's files to a folder that is there, of its OfIds and of the dtype
            that is asked for, or `None`. In the files, outputs have the names that are in
            `OfIds.outputs`. With `of_texts` it takes OfTensors too.
        files: patterns of the names of its files, by subfolder.
        dtypes: those that can be asked for.
        computes: str, the only dtype that a model may compute in when it is written: a model in
            another is made anew. `None`: the one that is asked for, or else its own.
        of_texts: bool, whether its files take texts and tensors as the model does.
        options: the further arguments that `write` takes.
    """

    write: Callable[..., Written]
    files: Files
    dtypes: tuple[str, ...]
    computes: str | None = None
    of_texts: bool = False
    options: tuple[str, ...] = ()
