"""Reads the rows of a file of a corpus, with a reason for each row that is rejected."""

import csv
import io
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

from keras_bert_zh.corpus.arrow import arrow, parquet
from keras_bert_zh.corpus.inputs import format_of
from keras_bert_zh.files.compressed import DecompressionError, opened

# Longer rows are rejected: memory must not grow with what a file happens to hold.
MOST_BYTES = 1 << 24

# A column: its name, or its number in a CSV file without a header.
Column = str | int


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        number: int, counted from 0; in a file of lines, that of the line.
        text: str, or `None` for a row that is rejected.
        kept: the other columns asked for, as str or `None`.
        reason: str, why it is rejected, or `None`.
    """

    number: int
    text: str | None
    kept: tuple[str | None, ...] = ()
    reason: str | None = None


class DamagedFileError(Exception):
    """A file can't be read any further.

    Args:
        number: int, that of the first row that is lost.
        reason: str.
    """

    def __init__(self, number: int, reason: str):
        super().__init__(reason)
        self.number, self.reason = number, reason


def rows_of(file: pathlib.Path, column: Column, keep: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of a file.

    Args:
        file: the file, whose format is told from the end of its name.
        column: where the texts are. A .txt file has texts alone, one a line, as `"text"`.
        keep: the names of other columns.

    Raises:
        DamagedFileError: where the file is damaged, or ends too early.
        ValueError: if the file has no such column.
    """
    format, _ = format_of(file)
    if format == ".parquet":
        yield from _parquet_rows(file, column, keep)
        return
    read = {".txt": _text_rows, ".jsonl": _json_rows, ".csv": _csv_rows}[format]
    after = 0
    try:
        with opened(file) as found:
            for row in read(file, found.content, column, keep):
                after = row.number + 1
                yield row
    except (DecompressionError, csv.Error) as error:
        raise DamagedFileError(after, f"{error}") from error


def _lines(content: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yields the number of each line, and the line, or `None` for one that is too long."""
    number = 0
    while line := content.readline(MOST_BYTES + 2):
        is_whole = line.endswith(b"\n")
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        fits = len(text) <= MOST_BYTES
        if number == 0:
            text = text.removeprefix(b"\xef\xbb\xbf")
        yield number, text if fits else None
        while line and not is_whole:
            line = content.readline(MOST_BYTES)
            is_whole = line.endswith(b"\n")
        number += 1


def _text_rows(file, content, column, keep):
    if column != "text" or any(name != "text" for name in keep):
        names = ", ".join(repr(name) for name in (column, *keep) if name != "text")
        raise ValueError(
            f"{file} has only the column 'text', but {names} was requested. Leave it out, or use a "
            "file that has it."
        )
    for number, line in _lines(content):
        if line is None:
            yield _too_long(number)
            continue
        yield _row(number, line, [line] * len(keep))


def _json_rows(file, content, column, keep):
    for number, line in _lines(content):
        if line is None:
            yield _too_long(number)
            continue
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
            yield Row(number, None, reason=f"{reason}: {error}")
            continue
        if not isinstance(found, dict):
            yield Row(number, None, reason="not a JSON object")
        elif column not in found:
            yield Row(number, None, reason=f"has no {column!r}")
        else:
            yield _row(number, found[column], [found.get(name) for name in keep])


def _csv_rows(file, content, column, keep):
    # What is not UTF-8 becomes half surrogates, by which its row is found.
    text = io.TextIOWrapper(content, "utf-8-sig", errors="surrogateescape", newline="")
    limit = csv.field_size_limit(MOST_BYTES)
    try:
        reader = csv.reader(_Lines(text), strict=True)
        header: Sequence[Any] = ()
        places: list[int] = []
        number = 0
        for cells, error in _records(reader):
            if not header:
                if error is not None:
                    raise csv.Error(error)
                has_names = isinstance(column, str)
                header = cells if has_names else range(len(cells))
                places = [_place(file, name, header) for name in (column, *keep)]
                if has_names:
                    continue
            if error is not None:
                yield Row(number, None, reason=f"not CSV: {error}")
            elif len(cells) != len(header):
                reason = f"has {len(cells)} columns, expected {len(header)}"
                yield Row(number, None, reason=reason)
            else:
                value, *kept = (cells[place] for place in places)
                yield _row(number, value, kept)
            number += 1
    finally:
        csv.field_size_limit(limit)


def _records(reader: Iterator[list[str]]) -> Iterator[tuple[list[str], str | None]]:
    """Yields records that are not blank, and of bad ones what is wrong; goes on behind these.

    Raises:
        csv.Error: where the file ends inside of quotes.
    """
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in f"{error}":
                raise
            yield [], f"{error}"
            continue
        if cells:
            yield cells, None


class _Lines:
    """Lines for `csv`: one that is too long is skipped, and raises an error of `csv`."""

    def __init__(self, text: io.TextIOBase):
        self._text = text

    def __iter__(self):
        return self

    def __next__(self):
        line = piece = self._text.readline(MOST_BYTES + 2)
        if not line:
            raise StopIteration
        if len(line) <= MOST_BYTES or line.endswith(("\n", "\r")):
            return line
        while piece and not piece.endswith(("\n", "\r")):
            piece = self._text.readline(MOST_BYTES)
        raise csv.Error(f"a line is longer than {MOST_BYTES:,} characters")


def _parquet_rows(file, column, keep):
    arrow_errors = (arrow().ArrowInvalid, OSError)
    try:
        stored = parquet().ParquetFile(file, memory_map=True)
    except arrow_errors as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise DamagedFileError(0, f"{error}") from error
    with stored:
        schema = stored.schema_arrow
        for name in (column, *keep):
            _place(file, name, schema.names)
        number = 0
        try:
            for batch in stored.iter_batches(_at_once(stored), columns=[column, *keep]):
                columns = [_values(batch.column(name)) for name in (column, *keep)]
                for value, *kept in zip(*columns, strict=True):
                    yield _row(number, value, kept)
                    number += 1
        except (*arrow_errors, UnicodeDecodeError, OverflowError) as error:
            raise DamagedFileError(number, f"{error}") from error


def _values(array):
    """Returns Python values; strings as bytes, since Parquet does not say that they are UTF-8."""
    types = arrow().types
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if types.is_string(array.type) or types.is_large_string(array.type):
        array = array.cast(arrow().large_binary())
    elif types.is_temporal(array.type):  # Not all of them have a counterpart in Python.
        array = array.cast(arrow().string())
    return array.to_pylist()


def _at_once(stored: Any) -> int:
    """Returns how many rows of a Parquet file to read at once: not much more than one may have."""
    sizes = [stored.metadata.row_group(i) for i in range(stored.metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in sizes), default=1)
    return int(min(max(MOST_BYTES / max(widest, 1), 1), 1024))


def _place(file: pathlib.Path, column: Column, header: Sequence[Any]) -> int:
    if column not in header:
        there = ", ".join(map(repr, header)) or "none"
        raise ValueError(
            f"{file} has no column {column!r}; its columns are {there}. Name one of these."
        )
    return list(header).index(column)


def _too_long(number: int) -> Row:
    return Row(number, None, reason=f"longer than {MOST_BYTES:,} bytes")


def _row(number: int, value: Any, kept: Sequence[Any]) -> Row:
    """Returns a row, rejected where its text is no string of whole characters."""
    if value is None:
        return Row(number, None, reason="no text: null")
    if not isinstance(value, str | bytes):
        return Row(number, None, reason=f"no text: {type(value).__name__}")
    try:
        text = value.decode() if isinstance(value, bytes) else value
        size = len(text.encode())
    except UnicodeError as error:
        return Row(number, None, reason=f"not UTF-8: {error}")
    if size > MOST_BYTES:
        return _too_long(number)
    return Row(number, text, tuple(map(_kept, kept)))


def _kept(value: Any) -> str | None:
    """Returns a kept value as a string: dicts, lists and numbers as JSON, dates as ISO has them."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict | list | bool | int | float):
        try:
            value = json.dumps(value, ensure_ascii=False, default=str)
        except RecursionError:
            return None
    return f"{value}".encode(errors="replace").decode()
