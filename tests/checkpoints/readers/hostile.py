"""What the tests of hostile files of torch share."""

import collections
import pathlib
import pickle

import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers.torch_files import open_tensors
from tests.checkpoints.readers.torch_writer import Call, Name, Storage, View, rebuilt

NUMBERS = np.arange(12, dtype="float32")
TENSOR = rebuilt("0", View(NUMBERS, 0, (12,), (1,)))
FLOATS = Name("torch", "FloatStorage")
COMMAND = "touch canary"
# A tuple of two of the same tuple, and so on: to hash it or to print it takes 2 to the 100 steps.
BOMB = b"K\x00q\x00" + b"h\x00\x86q\x00" * 100


class Reduced:
    """Pickled as a call, as Python pickles any object that says so."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def tensor(storage=None, offset=0, shape=(12,), strides=(1,), *more):
    storage = storage or Storage(FLOATS, "0", 12)
    arguments = (storage, offset, shape, strides, False, collections.OrderedDict(), *more)
    return {"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), arguments)}


def python(value, protocol=2):
    return pickle.dumps({"a": value}, protocol)


def refused(path):
    """Returns what the one error says; nothing was run."""
    with pytest.raises(ValueError, match=f"{path} can't be read: ") as caught:
        open_tensors(path)
    assert not any(pathlib.Path().iterdir())
    return str(caught.value)
