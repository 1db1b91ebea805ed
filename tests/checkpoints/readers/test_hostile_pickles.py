"""Pickles that mean harm, or none: one ValueError that names the file, and nothing was run."""

import builtins
import collections
import fractions
import os
import pathlib
import pickle

import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers.torch_files import open_tensors
from tests.checkpoints.readers.hostile import (
    BOMB,
    COMMAND,
    FLOATS,
    NUMBERS,
    TENSOR,
    Reduced,
    python,
    refused,
    tensor,
)
from tests.checkpoints.readers.torch_writer import (
    Call,
    Name,
    Storage,
    pickled,
    write_before_zip,
    write_zip,
)


def chain():
    """`getattr(collections.OrderedDict, "__init__").__globals__`, and on to what is in there."""
    first = (Name("collections", "OrderedDict"), "__init__")
    get = Call(Name("builtins", "getattr"), first)
    return {"a": Call(Name("builtins", "getattr"), (get, "__globals__"))}


CODE = "open('canary', 'w')"
TEXT = b"X\x06\x00\x00\x00canary"

NAMED = {
    "os.system": (python(Reduced(os.system, (COMMAND,))), "posix.system"),
    "os.system, STACK_GLOBAL": (python(Reduced(os.system, (COMMAND,)), 4), "posix.system"),
    "subprocess": (pickled({"a": Call(Name("subprocess", "run"), ("x",))}), "subprocess.run"),
    "eval": (python(Reduced(eval, (CODE,))), "__builtin__.eval"),
    "exec": (python(Reduced(exec, (CODE,))), "__builtin__.exec"),
    "__import__": (python(Reduced(builtins.__import__, ("os",))), "__builtin__.__import__"),
    "getattr": (pickled(chain()), "builtins.getattr"),
    "open": (python(Reduced(open, ("canary", "w"))), "open"),
    "a class": (python(fractions.Fraction(1, 3)), "fractions.Fraction"),
    "with a state": (python(Reduced(collections.Counter, (), {"a": 1})), "collections.Counter"),
    "copyreg": (python(Reduced(object.__new__, (object,))), "getattr"),
    "numpy": (python(np.arange(3.0)), "_reconstruct"),
    "a whole model": (pickled({"a": Name("transformers", "BertModel")}), "transformers.BertModel"),
    "torch's own loader": (pickled({"a": Call(Name("torch", "load"), ("x",))}), "torch.load"),
    "a name within": (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__"),
    "nothing is called": (b"\x80\x02cos\nsystem\n.", "os.system"),
    "behind the end": (b"\x80\x02}.cos\nsystem\n" + TEXT + b"\x85R.", None),
}


def test_they_do_harm_elsewhere(path):
    pickle.loads(NAMED["os.system"][0])
    assert pathlib.Path("canary").exists()


@pytest.mark.parametrize("write", [write_zip, write_before_zip])
@pytest.mark.parametrize(("content", "name"), NAMED.values(), ids=NAMED)
def test_names_that_no_state_dict_needs(path, content, name, write):
    if name is None:  # What follows the end is no pickle of torch, and nobody reads it.
        write_zip(path, content, {})
        assert open_tensors(path) == {}
        assert not any(pathlib.Path().iterdir())
        return
    write(path, content, {"0": NUMBERS})
    said = refused(path)
    assert f"{name}, which a state dict never needs. None of it was run" in said


OPCODES = {
    "INST": b"\x80\x02(" + TEXT + b"ios\nsystem\n.",
    "OBJ": b"\x80\x02(ccollections\nOrderedDict\no.",
    "NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": b"\x80\x02Pstorage\n.",
    "DUP": b"\x80\x02}2.",
    "EMPTY_SET": b"\x80\x04\x8f.",
    "BYTEARRAY8": b"\x80\x05\x96" + bytes(8) + b".",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "LONG": b"\x80\x02L1L\n.",
}
OTHERS = {
    "it ends early": pickled({"a": TENSOR})[:-1],
    "it ends in a text": pickled({"a": TENSOR})[:-400],
    "empty": b"",
    "no pickle": b"\xff" * 100,
    "a stack that is empty": b"\x80\x02\x85.",
    "two results": b"\x80\x02}}.",
    "no mark": b"\x80\x02t.",
    "a mark as a value": b"\x80\x02(.",
    "an empty memo": b"\x80\x02h\x05.",
    "a long memo": b"\x80\x02}r\xff\xff\xff\xff1.",
    "long text": b"\x80\x02X\xff\xff\xff\xffabc.",
    "longer text": b"\x80\x04\x8d" + (2**60).to_bytes(8, "little") + b"abc.",
    "long bytes": b"\x80\x04\x8e" + (2**60).to_bytes(8, "little") + b"abc.",
    "a long number": b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
    "a number of negative length": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "a number of many digits": b"\x80\x02I" + b"9" * 5000 + b"\n.",
    "a long frame": b"\x80\x04\x95" + (2**60).to_bytes(8, "little") + b"\x8f.",
    "a bomb as a key": b"\x80\x02}" + BOMB + b"K\x01s.",
    "a bomb as an identity": b"\x80\x02" + BOMB + b"Q.",
    "nested lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "a key that is no text": pickled({1: TENSOR}),
    "a value that is no tensor": pickled({"a": TENSOR, "epoch": 3}),
    "a dict in the dict": pickled({"model": {"a": TENSOR}}),
    "itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "an odd number of entries": b"\x80\x02}(X\x01\x00\x00\x00au.",
    "entries of a list": b"\x80\x02](NNu.",
    "items of a dict": b"\x80\x02}(Ne.",
    "a state of a list": b"\x80\x02]}b.",
    "a list of tensors": pickled([TENSOR]),
    "a call of a text": b"\x80\x02" + TEXT + b")R.",
    "a call of a storage": pickled({"a": Call(FLOATS, ())}),
    "arguments that are a list": b"\x80\x02ccollections\nOrderedDict\n]R.",
    "an OrderedDict of a dict": pickled(Call(Name("collections", "OrderedDict"), ({"a": 1},))),
    "a parameter of a dict": pickled(
        {"a": Call(Name("torch._utils", "_rebuild_parameter"), ({}, True, {}))}
    ),
    "an identity that is a text": b"\x80\x02" + TEXT + b"Q.",
    "an identity of a module": pickled(tensor(Storage(Name("torch", "nn"), "0", 12))),
    "a storage of a function": pickled(
        tensor(Storage(Name("collections", "OrderedDict"), "0", 12))
    ),
    "a storage of negative size": pickled(tensor(Storage(FLOATS, "0", -12))),
    "a storage that is a view": pickled(tensor(Storage(FLOATS, "0", 12, (("1", 0, 12),)))),
    "a storage that is larger": pickled(tensor(Storage(FLOATS, "0", 2**60))),
    "a storage that is smaller": pickled(tensor(Storage(FLOATS, "0", 11))),
    "a storage of longer numbers": pickled(
        tensor(Storage(Name("torch", "DoubleStorage"), "0", 12))
    ),
    "a storage that is not there": pickled(tensor(Storage(FLOATS, "1", 12))),
    "a storage elsewhere": pickled(tensor(Storage(FLOATS, "../data.pkl", 12))),
    "a storage of two sizes": pickled(tensor() | {"b": tensor(Storage(FLOATS, "0", 13))["a"]}),
    "a tensor of no storage": pickled(tensor(("storage", FLOATS, "0", "cpu", 12))),
    "a negative offset": pickled(tensor(None, -1)),
    "an offset behind the end": pickled(tensor(None, 1)),
    "negative strides": pickled(tensor(None, 11, (12,), (-1,))),
    "strides behind the end": pickled(tensor(None, 0, (12,), (2,))),
    "negative axes": pickled(tensor(None, 0, (-3, -4), (4, 1))),
    "more axes than strides": pickled(tensor(None, 0, (3, 4), (1,))),
    "a hundred axes": pickled(tensor(None, 0, (1,) * 100, (1,) * 100)),
    "axes that are bools": pickled(tensor(None, 0, (True,), (1,))),
    "axes that are floats": pickled(tensor(None, 0, (12.0,), (1,))),
    "a tensor of the size of a disk": pickled(tensor(None, 0, (2**40,), (0,))),
    "axes beyond 64 bits": pickled(tensor(None, 0, (2**70,), (0,))),
    "more arguments": pickled(tensor(None, 0, (12,), (1,), {"neg": True})),
}


@pytest.mark.parametrize("write", [write_zip, write_before_zip])
@pytest.mark.parametrize("content", [*OPCODES.values(), *OTHERS.values()], ids=[*OPCODES, *OTHERS])
def test_what_no_state_dict_holds(path, content, write):
    write(path, content, {"0": NUMBERS})
    refused(path)


@pytest.mark.parametrize(("opcode", "content"), OPCODES.items(), ids=OPCODES)
def test_opcodes_are_named(path, opcode, content):
    write_zip(path, content, {})
    assert f"has the opcode {opcode}, which a state dict never needs" in refused(path)
