"""Pickles that mean harm, or none: one ValueError that names the file, and nothing was run."""

import builtins
import collections
import fractions
import io
import os
import pathlib
import pickle
import struct
import zipfile

import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers.torch_files import open_tensors
from tests.checkpoints.readers.torch_writer import (
    Call,
    Name,
    Storage,
    View,
    pickled,
    rebuilt,
    write_before_zip,
    write_zip,
)

NUMBERS = np.arange(12, dtype="float32")
TENSOR = rebuilt("0", View(NUMBERS, 0, (12,), (1,)))
FLOATS = Name("torch", "FloatStorage")
COMMAND = "touch canary"
CODE = "open('canary', 'w')"
TEXT = b"X\x06\x00\x00\x00canary"


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


def nested(depth):
    """A tuple of two of the same tuple, and so on: its hash takes 2 to the depth steps."""
    return b"\x80\x02}(K\x00q\x00" + b"h\x00h\x00\x86q\x00" * depth + b"K\x01u."


def chain():
    """`getattr(collections.OrderedDict, "__init__").__globals__`, and on to what is in there."""
    first = (Name("collections", "OrderedDict"), "__init__")
    get = Call(Name("builtins", "getattr"), first)
    return {"a": Call(Name("builtins", "getattr"), (get, "__globals__"))}


def python(value, protocol=2):
    return pickle.dumps({"a": value}, protocol)


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


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pytorch_model.bin"


def refused(path):
    """Returns what the one error says; nothing was run."""
    with pytest.raises(ValueError, match=f"{path} can't be read: ") as caught:
        open_tensors(path)
    assert not any(pathlib.Path().iterdir())
    return str(caught.value)


def test_they_do_harm_elsewhere():
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
    assert f"{name}, which no state dict needs. Nothing of it was run" in said


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
    "a bomb as a key": nested(100),
    "a bomb as an identity": nested(100)[:-4] + b"Q.",
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
    assert f"has the opcode {opcode}, which no state dict needs" in refused(path)


def archive(*members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return file.getvalue()


STATE = ("a/data.pkl", pickled({"a": TENSOR}))
NUMBER = ("a/data/0", NUMBERS.tobytes())
WHOLE = archive(STATE, NUMBER)
ARCHIVES = {
    "nothing in it": archive(),
    "no pickle": archive(NUMBER),
    "an archive in it": archive(("a/pytorch_model.bin", WHOLE)),
    "an archive as the pickle": archive(("a/data.pkl", WHOLE), NUMBER),
    "a folder above": archive(STATE, ("../data/0", NUMBERS.tobytes())),
    "a path that leads out": archive(STATE, NUMBER, ("a/../../b", b"")),
    "an absolute path": archive(STATE, NUMBER, ("/etc/passwd", b"")),
    "two folders": archive(STATE, ("b/data/0", NUMBERS.tobytes())),
    "no folder": archive(("data.pkl", STATE[1]), ("data/0", NUMBERS.tobytes())),
    "compressed": archive(STATE, NUMBER, method=zipfile.ZIP_DEFLATED),
    "a storage that is too short": archive(STATE, ("a/data/0", NUMBERS.tobytes()[:-4])),
    "a storage that is too long": archive(STATE, ("a/data/0", NUMBERS.tobytes() + bytes(4))),
    "no storage": archive(STATE),
    "big-endian": archive(STATE, NUMBER, ("a/byteorder", b"big")),
    "a pickle that is too long": archive(("a/data.pkl", bytes(2_000_001)), NUMBER),
    "a flipped bit in the pickle": WHOLE.replace(b"_rebuild_t", b"_rebuild_u", 1),
    "another name before the content": WHOLE.replace(b"a/data/0", b"a/data/1", 1),
    "no header before the content": WHOLE.replace(NUMBER[1], NUMBER[1][:-4])[4:],
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_archives_that_torch_does_not_write(path, content):
    path.write_bytes(content)
    refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(path):
    path.write_bytes(archive(STATE, NUMBER, NUMBER))
    assert "or there twice" in refused(path)


def test_a_member_that_ends_behind_the_file(path):
    larger = pickled(tensor(Storage(FLOATS, "0", 1200), 0, (1200,)))
    content = archive(("a/data.pkl", larger), NUMBER)
    path.write_bytes(content.replace(struct.pack("<II", 48, 48), struct.pack("<II", 4800, 4800)))
    assert "its member a/data/0 is not where the archive says" in refused(path)


MACHINE = pickled({"little_endian": True})
MAGIC = pickled(0x1950A86A20F9469CFC6C)
BEGIN = MAGIC + pickled(1001) + MACHINE
NUMBER_BEHIND_COUNT = (12).to_bytes(8, "little") + NUMBERS.tobytes()
OLD = pickled({"a": rebuilt("0", View(NUMBERS, 0, (12,), (1,)), before_zip=True)})
BEFORE_ZIP = {
    "another number": pickled(3) + BEGIN,
    "a bomb as the number": nested(100),
    "another protocol": MAGIC + pickled(1002) + MACHINE,
    "big-endian": MAGIC + pickled(1001) + pickled({"little_endian": False}),
    "no description": MAGIC + pickled(1001) + pickled([]),
    "a call as the number": python(Reduced(os.system, (COMMAND,))),
    "a call in the description": MAGIC + pickled(1001) + python(Reduced(os.system, (COMMAND,))),
    "a call in the list": BEGIN + OLD + python(Reduced(os.system, (COMMAND,))),
    "no list": BEGIN + OLD,
    "another list": BEGIN + OLD + pickled(["1"]) + NUMBER_BEHIND_COUNT,
    "a list of lists": BEGIN + OLD + pickled([["0"]]) + NUMBER_BEHIND_COUNT,
    "a bomb in the list": BEGIN + OLD + nested(100)[:-3] + b"1].",
    "a storage twice": BEGIN + OLD + pickled(["0", "0"]) + NUMBER_BEHIND_COUNT * 2,
    "another count": BEGIN + OLD + pickled(["0"]) + bytes(8) + NUMBERS.tobytes(),
    "no numbers": BEGIN + OLD + pickled(["0"]),
    "numbers that are cut off": BEGIN + OLD + pickled(["0"]) + NUMBER_BEHIND_COUNT[:-1],
}


@pytest.mark.parametrize("content", BEFORE_ZIP.values(), ids=BEFORE_ZIP)
def test_files_that_torch_did_not_write_before_1_6(path, content):
    path.write_bytes(content)
    refused(path)


def test_what_is_right_is_read(path):
    for content in (WHOLE, BEGIN + OLD + pickled(["0"]) + NUMBER_BEHIND_COUNT):
        path.write_bytes(content)
        np.testing.assert_array_equal(open_tensors(path)["a"].read(), NUMBERS)
