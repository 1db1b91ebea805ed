"""Files in which torch's pickles lie where torch puts none: refused, and nothing was run."""

import io
import os
import struct
import zipfile

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
from tests.checkpoints.readers.torch_writer import Storage, View, pickled, rebuilt


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
    "no header before the content": b"PK\3\5".join(WHOLE.rsplit(b"PK\3\4", 1)),
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_archives_that_torch_does_not_write(path, content):
    path.write_bytes(content)
    refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(path):
    path.write_bytes(archive(STATE, NUMBER, NUMBER))
    assert "or occurs twice" in refused(path)


def test_a_member_that_ends_behind_the_file(path):
    larger = pickled(tensor(Storage(FLOATS, "0", 1200), 0, (1200,)))
    content = archive(("a/data.pkl", larger), NUMBER)
    path.write_bytes(content.replace(struct.pack("<II", 48, 48), struct.pack("<II", 4800, 4800)))
    assert "its member a/data/0 is not at the position in the archive's index" in refused(path)


MACHINE = pickled({"little_endian": True})
MAGIC = pickled(0x1950A86A20F9469CFC6C)
BEGIN = MAGIC + pickled(1001) + MACHINE
NUMBER_BEHIND_COUNT = (12).to_bytes(8, "little") + NUMBERS.tobytes()
OLD = pickled({"a": rebuilt("0", View(NUMBERS, 0, (12,), (1,)), before_zip=True)})
BEFORE_ZIP = {
    "another number": pickled(3) + BEGIN,
    "a bomb as the number": b"\x80\x02" + BOMB + b".",
    "another protocol": MAGIC + pickled(1002) + MACHINE,
    "big-endian": MAGIC + pickled(1001) + pickled({"little_endian": False}),
    "no description": MAGIC + pickled(1001) + pickled([]),
    "a call as the number": python(Reduced(os.system, (COMMAND,))),
    "a call in the description": MAGIC + pickled(1001) + python(Reduced(os.system, (COMMAND,))),
    "a call in the list": BEGIN + OLD + python(Reduced(os.system, (COMMAND,))),
    "no list": BEGIN + OLD,
    "another list": BEGIN + OLD + pickled(["1"]) + NUMBER_BEHIND_COUNT,
    "a list of lists": BEGIN + OLD + pickled([["0"]]) + NUMBER_BEHIND_COUNT,
    "a bomb in the list": BEGIN + OLD + b"\x80\x02]" + BOMB + b"a.",
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
