"""Reads the sizes of the data files from the index of a TensorFlow checkpoint.

TensorFlow's Python API gives the names, shapes and dtypes of tensors, but not their positions.
"""

import pathlib
from collections.abc import Iterator

# The end of a table: the positions of its two indexes, padded, and a number that ends all tables.
_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57


def data_sizes(index: pathlib.Path) -> dict[str, int]:
    """Returns the size in bytes of each data file that contains a tensor, by file name.

    Args:
        index: `PREFIX.index`. Its checksums are not checked here: TensorFlow does that.

    Raises:
        ValueError: if it is damaged.

    Reference:
        `tensor_bundle.proto` in TensorFlow; `doc/table_format.md` in LevelDB. TensorFlow does not
        compress these tables.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

    shards = 0
    ends: dict[int, int] = {}
    try:
        for key, value in _entries(index.read_bytes()):
            if key:
                entry = BundleEntryProto.FromString(value)
                end = entry.offset + entry.size
                ends[entry.shard_id] = max(end, ends.get(entry.shard_id, 0))
            else:
                shards = BundleHeaderProto.FromString(value).num_shards
        if not shards:
            raise ValueError("This table has no header.")
    except (DecodeError, IndexError, ValueError) as error:
        raise ValueError(f"{index} can't be read: it is damaged.") from error
    return {f"{index.stem}.data-{i:05d}-of-{shards:05d}": ends[i] for i in sorted(ends) if ends[i]}


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a table."""
    footer = table[-_FOOTER:]
    if int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise ValueError("This is not a table.")
    _, _, place = _handle(footer, 0)  # Of an index of another kind, which is empty.
    start, size, _ = _handle(footer, place)
    for _, where in _block(table, start, size):
        start, size, _ = _handle(where, 0)
        yield from _block(table, start, size)


def _handle(content: bytes, place: int) -> tuple[int, int, int]:
    """Returns the start of a block, its size, and the position after these two numbers."""
    start, place = _varint(content, place)
    size, place = _varint(content, place)
    return start, size, place


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a block; keys share a prefix with the key before."""
    if table[start + size]:
        raise ValueError("This block is compressed.")
    block = table[start : start + size]
    restarts = int.from_bytes(block[-4:], "little")
    key, place = b"", 0
    while place < size - 4 - 4 * restarts:
        shared, place = _varint(block, place)
        unshared, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + unshared]
        place += unshared
        yield key, block[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Returns the number that begins there, seven bits per byte, and the position after it."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
