"""Reads compressed files; the file extension decides how a file is decompressed."""

import contextlib
import gzip
import io
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from keras_bert_zh.extras import imported

ENDINGS = (".xz", ".gz", ".zst")


class DecompressionError(Exception):
    """A compressed file is damaged, incomplete, or compressed in another way."""


class Opened(NamedTuple):
    """An open file.

    Attributes:
        content: the decompressed bytes. If the file is incomplete, reading raises
            DecompressionError, but only after all readable bytes were read.
        stored: the file as it is on the disk; `stored.tell()` says how much of it was read.
    """

    content: IO[bytes]
    stored: IO[bytes]


@contextlib.contextmanager
def opened(file: pathlib.Path) -> Iterator[Opened]:
    """Yields an open file, which is closed when the block ends.

    Raises:
        ModuleNotFoundError: for `.zst`, if pyarrow is not installed.
    """
    opener, errors = _opener(file.suffix.lower())
    with open(file, "rb") as stored, opener(stored) as content:
        yield Opened(io.BufferedReader(_Pieces(content, errors), 1 << 20), stored)


def _opener(ending: str) -> tuple[Callable[[Any], Any], tuple[type[Exception], ...]]:
    """Returns the function that opens a file, and the errors that mean the file is damaged."""
    if ending == ".xz":
        import lzma  # Some builds of Python have none, and the rest of the package does without.

        return lzma.open, (EOFError, lzma.LZMAError)
    if ending == ".gz":
        return gzip.open, (EOFError, zlib.error, gzip.BadGzipFile)
    if ending == ".zst":
        arrow = imported("pyarrow", "embed", use="A .zst file")
        return lambda stored: arrow.CompressedInputStream(stored, "zstd"), (OSError,)
    return contextlib.nullcontext, ()


class _Pieces(io.RawIOBase):
    """Reads piece by piece, so that the readable part of an incomplete file is not lost."""

    def __init__(self, content: Any, errors: tuple[type[Exception], ...]):
        self._content, self._errors = content, errors

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # Of a piece that Arrow can't read whole, it gives nothing.
            piece = self._content.read1(min(len(buffer), 1 << 14))
        except self._errors as error:
            if getattr(error, "errno", None) is not None:  # The system's: a disk that fails.
                raise
            raise DecompressionError(f"{error}") from error
        buffer[: len(piece)] = piece
        return len(piece)
