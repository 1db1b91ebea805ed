"""Opens a state dict that `torch.save` wrote, in both of its formats, without torch."""

import io
import math
import pathlib
import zipfile
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from keras_bert_zh.checkpoints.readers.plain_numbers import (
    Numbers,
    little_endian,
    row_strides,
    tensor,
)
from keras_bert_zh.checkpoints.readers.state_dict import Storage, Stored, load
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

_ZIP = b"PK\3\4"
_LOCAL_HEADER = 30
# What the form before torch 1.6 begins with.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# That of a state dict has some two hundred bytes a tensor.
_LONGEST_PICKLE = 2_000_000


class _Content(NamedTuple):
    """The content of the pickles: the state dict, and the position of each storage by key."""

    state: object
    starts: Mapping[str, int]


def open_tensors(path: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors by their names in the file.

    Raises:
        ValueError: if the file is damaged or incomplete, contains anything other than tensors, or
            names anything that a state dict never needs; no code in it is run. A tensor's `read`
            also raises it if it has NaN or infinite values. Other damage is not detected.

    Reference:
        `torch/serialization.py` in PyTorch: `_save` and `_legacy_save`.
    """
    files = Unchanged([path])
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            is_zip = file.read(len(_ZIP)) == _ZIP
            file.seek(0)
            content = _zip(file, size) if is_zip else _before_zip(file, size)
        found = {name: _numbers(t, content, size) for name, t in _stored(content.state).items()}
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} can't be read: {error}.") from error
    return {name: tensor(path, files, name, numbers) for name, numbers in found.items()}


def _stored(state: object) -> dict[str, Stored]:
    if not isinstance(state, dict):
        raise ValueError(f"it contains a {type(state).__name__}, not a state dict")
    for name, value in state.items():
        if not name.isprintable():
            raise ValueError(
                f"its state dict has the name {name[:100]!a}, which is not printable text"
            )
        if not isinstance(value, Stored):
            raise ValueError(
                f"its state dict has {name[:100]!r}, which is a {type(value).__name__}, not a "
                "tensor"
            )
    return state


def _numbers(stored: Stored, content: _Content, size: int) -> Numbers:
    """Returns the position of a tensor's numbers in the file."""
    storage, shape, strides = stored.storage, stored.shape, stored.strides
    itemsize = little_endian(storage.dtype).itemsize
    if math.prod(shape) * itemsize > size:
        raise ValueError(
            f"a tensor in it has {math.prod(shape):,} numbers, more than fit in the file"
        )
    steps = zip(shape, strides, strict=True)
    count = 1 + sum((n - 1) * step for n, step in steps) if math.prod(shape) else 0
    if stored.offset + count > storage.size:
        raise ValueError(
            f"a tensor ends at number {stored.offset + count:,} of its storage {storage.key[:40]}, "
            f"which has only {storage.size:,} numbers"
        )
    start = content.starts[storage.key] + stored.offset * itemsize
    in_rows = count == math.prod(shape) and strides == row_strides(shape)
    return Numbers(shape, storage.dtype, ((start, count),), None if in_rows else strides)


def _zip(file: BinaryIO, size: int) -> _Content:
    """Reads the format of torch since 1.6: a zip archive without compression."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            pickled = archive.read(_pickle_of(members))
            order = members.get("byteorder")
            if order and archive.read(order) != b"little":
                raise ValueError("its numbers are not little-endian")
    except ValueError:
        raise
    except Exception as error:  # From BadZipFile to struct.error.
        raise ValueError(f"it is not a complete zip archive: {error}") from error
    state, storages = load(io.BytesIO(pickled))
    starts = {}
    for key, storage in storages.items():
        member = members.get(f"data/{key}")
        if not member:
            raise ValueError(f"its storage {key[:40]} is missing")
        if member.file_size != _bytes(storage):
            raise ValueError(
                f"its member {member.filename[:100]} has {member.file_size:,} bytes, expected "
                f"{_bytes(storage):,}"
            )
        starts[key] = _start(file, member, size)
    return _Content(state, starts)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Returns the members by their paths in the single folder of the archive."""
    members: dict[str, zipfile.ZipInfo] = {}
    tops = set()
    for info in archive.infolist():
        top, _, name = info.orig_filename.partition("/")
        tops.add(top)
        if (
            not name
            or name in members
            or len(tops) > 1
            or {"..", "", "."} & {top, *name.split("/")}
        ):
            raise ValueError(
                f"its member {info.orig_filename[:100]!r} is outside the archive's single folder, "
                "or occurs twice"
            )
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(
                f"its member {info.filename[:100]} is compressed, which torch.save never does"
            )
        members[name] = info
    return members


def _pickle_of(members: Mapping[str, zipfile.ZipInfo]) -> zipfile.ZipInfo:
    if "data.pkl" not in members:
        raise ValueError("it is a zip archive, but not from torch.save: data.pkl is missing")
    if members["data.pkl"].file_size > _LONGEST_PICKLE:
        raise ValueError(
            f"its data.pkl has over {_LONGEST_PICKLE:,} bytes, too many for a state dict"
        )
    return members["data.pkl"]


def _start(file: BinaryIO, member: zipfile.ZipInfo, size: int) -> int:
    """Returns the position in the file at which a member's content begins."""
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    name, extra = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
    start = member.header_offset + _LOCAL_HEADER + name + extra
    if (
        not header.startswith(_ZIP)
        or file.read(name) != member.orig_filename.encode()
        or start + member.file_size > size
    ):
        raise ValueError(
            f"its member {member.filename[:100]} is not at the position in the archive's index"
        )
    return start


def _before_zip(file: BinaryIO, size: int) -> _Content:
    """Reads the format before torch 1.6: five pickles, then the storages, each after its size."""
    begin = io.BytesIO(file.read(_LONGEST_PICKLE))
    if load(begin)[0] != _MAGIC or load(begin)[0] != _PROTOCOL:
        raise ValueError("torch.save did not write this file")
    machine = load(begin)[0]
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    state, storages = load(begin)
    keys = load(begin)[0]
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or sorted(keys) != sorted(storages)
    ):
        raise ValueError("its list of storages does not match its tensors")
    starts = {}
    place = begin.tell()
    for key in keys:
        file.seek(place)
        if int.from_bytes(file.read(8), "little") != storages[key].size:
            raise ValueError(f"its storage {key[:40]} is not at the expected position")
        starts[key] = place + 8
        place += 8 + _bytes(storages[key])
    if place != size:
        raise ValueError(f"it has {size:,} bytes, expected {place:,}: it is incomplete")
    return _Content(state, starts)


def _bytes(storage: Storage) -> int:
    return storage.size * little_endian(storage.dtype).itemsize
