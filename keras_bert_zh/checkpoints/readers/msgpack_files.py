"""Opens a `flax_model.msgpack` of Transformers with msgpack; its tensors are read later."""

import math
import mmap
import pathlib
from typing import Any

from keras_bert_zh.checkpoints.readers.plain_numbers import Numbers, little_endian, tensor
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged

# The last part of a name, and what it is called in Transformers' models of torch.
_LAST = {"kernel": "weight", "embedding": "weight", "scale": "weight"}
# Flax's own extension of msgpack: an array.
_ARRAY = 1
# What an array of a gigabyte or more is divided by.
_CHUNKED = "__msgpack_chunked_array__"
# How long headers are, by the first byte: those of extensions, and of bytes.
_EXTENSIONS = {0xC7: 3, 0xC8: 4, 0xC9: 6, 0xD4: 2, 0xD5: 2, 0xD6: 2, 0xD7: 2, 0xD8: 2}
_BYTES = {0xC4: 2, 0xC5: 3, 0xC6: 5}
_MAPS = {*range(0x80, 0x90), 0xDE, 0xDF}
# Shape and dtype of an array need far less.
_LONGEST_START = 500
_DEEPEST = 50


def open_tensors(path: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors by their names in PyTorch models; kernels are `[in, out]`.

    The file is read once to find the positions of the arrays; no array is kept.

    Raises:
        ValueError: if the file is damaged or incomplete, or contains anything other than arrays. A
            tensor's `read` also raises it if it has NaN or infinite values. The format has no
            checksums, so other damage is not detected.

    Reference:
        `flax/serialization.py`; https://github.com/msgpack/msgpack/blob/master/spec.md
    """
    import msgpack

    files = Unchanged([path])
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            size = len(view)
            unpacker = msgpack.Unpacker(file, read_size=min(size, 1 << 20), max_buffer_size=size)
            tree = _map(unpacker, view, 0)
            if unpacker.tell() != size:
                raise ValueError(f"it has {size:,} bytes, expected {unpacker.tell():,}")
            found = dict(_arrays(view, tree, ()))
    except (msgpack.UnpackException, ValueError, LookupError, TypeError, OSError) as error:
        why = str(error) or "it is incomplete"
        raise ValueError(f"{path} can't be read: {why}") from error
    return {name: tensor(path, files, name, numbers) for name, numbers in found.items()}


def _map(unpacker: Any, view: mmap.mmap, depth: int) -> dict[str, Any]:
    """Returns the map that begins here: the start and end of each entry, or a nested map."""
    if depth > _DEEPEST:
        raise ValueError(f"its maps are nested more than {_DEEPEST} deep")
    entries: dict[str, Any] = {}
    for _ in range(unpacker.read_map_header()):
        name = unpacker.unpack()
        if not isinstance(name, str) or name in entries:
            raise ValueError("a name in it is not text, or occurs twice")
        start = unpacker.tell()
        if view[start] in _MAPS:
            entries[name] = _map(unpacker, view, depth + 1)
        else:
            unpacker.skip()
            entries[name] = (start, unpacker.tell())
    return entries


def _arrays(view: mmap.mmap, entries: dict[str, Any], path: tuple[str, ...]):
    """Yields the names and positions of all arrays."""
    for name, entry in entries.items():
        if isinstance(entry, tuple) or _CHUNKED in entry:
            numbers = _array(view, *entry) if isinstance(entry, tuple) else _chunked(view, entry)
            yield ".".join([*path, _LAST.get(name, name)]), numbers
        else:
            yield from _arrays(view, entry, (*path, name))


def _chunked(view: mmap.mmap, entry: dict[str, Any]) -> Numbers:
    """Returns the position of an array that is stored in several numbered chunks."""
    import msgpack

    axes, pieces = entry.get("shape"), entry.get("chunks")
    if not isinstance(axes, dict) or not isinstance(pieces, dict):
        raise ValueError("a chunked array in it has no shape or no chunks")
    shape = tuple(msgpack.unpackb(view[slice(*axes[str(i)])]) for i in range(len(axes)))
    parts = [_array(view, *pieces[str(i)]) for i in range(len(pieces))]
    numbers = Numbers(
        shape, parts[0].dtype, tuple(place for part in parts for place in part.places)
    )
    if any(part.dtype != numbers.dtype for part in parts) or _size(shape) != sum(
        count for _, count in numbers.places
    ):
        raise ValueError(f"the chunks of an array in it do not match its shape, {list(shape)}")
    return numbers


def _array(view: mmap.mmap, start: int, end: int) -> Numbers:
    """Returns the position of the array that is packed in these bytes."""
    import msgpack

    header = _EXTENSIONS.get(view[start])
    if header is None or view[start + header - 1] != _ARRAY:
        raise ValueError("it contains something that is not an array")
    start += header
    unpacker = msgpack.Unpacker()
    unpacker.feed(view[start : min(end, start + _LONGEST_START)])
    fields = unpacker.read_array_header()
    shape, dtype = unpacker.unpack(), unpacker.unpack()
    start += unpacker.tell()
    if fields != 3 or view[start] not in _BYTES or not isinstance(shape, list):
        raise ValueError("an array in it is not in the form that Flax writes")
    start += _BYTES[view[start]]
    # NumPy's name of a type that it does not know.
    dtype = "bfloat16" if dtype == "V2" else dtype
    count = _size(shape)
    if count * little_endian(dtype).itemsize != end - start:
        raise ValueError(
            f"an array in it has {end - start:,} bytes, which does not match its shape, {shape}"
        )
    return Numbers(tuple(shape), dtype, ((start, count),))


def _size(shape: Any) -> int:
    if not all(type(axis) is int and axis >= 0 for axis in shape):
        raise ValueError("an array in it has a shape that is not valid")
    return math.prod(shape)
