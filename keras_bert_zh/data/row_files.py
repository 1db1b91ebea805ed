"""A folder of rows: a raw file of ids, one of word starts, and their description in JSON."""

import contextlib
import json
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

METADATA = "packed_text.json"


class Metadata(NamedTuple):
    """The contents of a folder.

    Attributes:
        rows: int, the number of rows.
        sequence_length: int, the length of each row.
        dtype: str, the dtype of ids in NumPy's notation.
        whole_words: bool, whether there are word starts.
        vocabulary: str, its digest.
        files: the names and sizes in bytes of the text files.
    """

    rows: int
    sequence_length: int
    dtype: str
    whole_words: bool
    vocabulary: str
    files: list[tuple[str, int]]

    @property
    def dtypes(self) -> dict[str, str]:
        """The files of rows and their dtypes, in the order of the arrays that are written."""
        return {"ids.bin": self.dtype} | ({"word_starts.bin": "|b1"} if self.whole_words else {})


def write_rows(folder: pathlib.Path, metadata: Metadata, blocks: Iterable[np.ndarray]) -> None:
    """Writes blocks of rows, and the metadata with their number, to an empty folder.

    Args:
        folder: where to.
        metadata: what is known before, with any number of rows.
        blocks: `<int32>[1 or 2, R, S]`, the values of each file.

    Raises:
        ValueError: if there is no row.
    """
    count = 0
    with contextlib.ExitStack() as opened:
        outputs = [opened.enter_context(open(folder / name, "wb")) for name in metadata.dtypes]
        for block in blocks:
            for output, dtype, rows in zip(outputs, metadata.dtypes.values(), block, strict=True):
                rows.astype(dtype).tofile(output)
            count += block.shape[1]
    if not count:
        raise ValueError(
            f"The text files have fewer than {metadata.sequence_length - 2} tokens, too few for a "
            f"row of {metadata.sequence_length} with [CLS] and [SEP]. Add text, or pass a smaller "
            "sequence_length."
        )
    metadata = metadata._replace(rows=count)
    (folder / METADATA).write_text(json.dumps(metadata._asdict(), indent=1), encoding="utf-8")


def read_metadata(folder: pathlib.Path) -> Metadata:
    """Returns what was written.

    Raises:
        FileNotFoundError: if nothing was.
        ValueError: if it can't be read.
    """
    file = folder / METADATA
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} does not contain packed text: it has no {METADATA}. Make it from text files "
            "with PackedText.write(files, folder, preprocess)."
        )
    try:
        return Metadata(**json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: {error}. {_again(folder)}") from error


def open_rows(folder: pathlib.Path, metadata: Metadata) -> list[Any]:
    """Returns a memory map `[rows, S]` of each file of rows.

    Raises:
        ValueError: if a file has not the size that it must have.
    """
    arrays = []
    for name, dtype in metadata.dtypes.items():
        file, shape = folder / name, (metadata.rows, metadata.sequence_length)
        expected = np.dtype(dtype).itemsize * shape[0] * shape[1]
        found = file.stat().st_size if file.is_file() else 0
        if found != expected:
            raise ValueError(
                f"{file} is damaged: it has {found:,} bytes, expected {expected:,}. "
                f"{_again(folder)}"
            )
        arrays.append(np.memmap(file, dtype, "r", shape=shape))
    return arrays


def _again(folder: pathlib.Path) -> str:
    return f"Delete {folder} and write it again."
