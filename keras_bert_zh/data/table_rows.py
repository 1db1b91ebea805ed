"""Rows of TSV, CSV and JSON Lines files, and the lines where they begin."""

import csv
import io
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from keras_bert_zh.arguments import is_int
from keras_bert_zh.files.utf8 import read_utf8

FORMATS = (".tsv", ".txt", ".csv", ".jsonl", ".json")

# A column: its name, or its number in a file without a header.
Column = str | int


def rows_of(file: pathlib.Path, columns: dict[str, Column]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the line where a row begins, and its cells by what they are for.

    Args:
        file: the file, whose format is told from the end of its name.
        columns: the columns that are read, by what they are for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not UTF-8 or of another format, or lacks a column.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"{file}: expected a file whose name ends in {', '.join(FORMATS)}. Rename it if it has "
            "one of these formats, or convert it."
        )
    content = read_utf8(file)
    rows = _json_rows if suffix.startswith(".json") else _cell_rows
    yield from rows(file, content, columns)


def checked_columns(file: pathlib.Path, **given: Column | None) -> dict[str, Column]:
    """Returns the columns of the file that are given, by what they are for.

    Raises:
        ValueError: if one is neither a name nor a number, or there are both.
    """
    columns: dict[str, Column] = {}
    for name, column in given.items():
        if column is None:
            continue
        if not isinstance(column, str) and (not is_int(column) or column < 0):
            raise ValueError(
                f"{file}: {name} must be the name of a column, or its number counted from 0, got "
                f"{column!r}."
            )
        columns[name] = column if isinstance(column, str) else int(column)
    if len({type(column) for column in columns.values()}) > 1:
        raise ValueError(
            f"{file}: columns must all be given by name, for a file with a header, or all by "
            f"number, for one without; got "
            f"{', '.join(f'{name}={value!r}' for name, value in columns.items())}."
        )
    return columns


def _cell_rows(
    file: pathlib.Path, content: str, columns: dict[str, Column]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line where a row begins, and its cells by what they are for."""
    rows = _csv(file, content) if file.suffix.lower() == ".csv" else _tsv(content)
    places: dict[str, int] | None = None
    width = 0
    for line, cells in rows:
        if places is None:
            width = len(cells)
            has_header = any(isinstance(column, str) for column in columns.values())
            places = _places(file, columns, cells if has_header else range(width))
            if has_header:
                continue
        if len(cells) != width:
            hint = (
                ""
                if file.suffix.lower() == ".csv"
                else (" A TSV cell can't hold tabs or line breaks: save such texts as CSV.")
            )
            raise ValueError(
                f"{file}, line {line}: expected {width} columns as in the first line, got "
                f"{len(cells)}.{hint} Correct the line, or remove it."
            )
        yield line, {name: cells[place] for name, place in places.items()}


def _tsv(content: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r").split("\t")


def _csv(file: pathlib.Path, content: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    line, limit = 1, csv.field_size_limit()
    csv.field_size_limit(max(limit, len(content)))  # A cell may be a book.
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{file}, line {line}: this line is not valid CSV: {error}. Double the quotes inside "
            'quoted cells (""), and close each quoted cell.'
        ) from error
    finally:
        csv.field_size_limit(limit)


def _places(
    file: pathlib.Path, columns: dict[str, Column], header: Sequence[Column]
) -> dict[str, int]:
    missing = [column for column in columns.values() if column not in header]
    if missing:
        there = (
            f"{len(header)} columns, counted from 0"
            if isinstance(header, range)
            else (", ".join(map(repr, header)))
        )
        hint = (
            ""
            if isinstance(header, range)
            else (" If the file has no header, give columns by number, counted from 0.")
        )
        raise ValueError(
            f"{file}, line 1: expected the columns {', '.join(map(repr, missing))}, but the file "
            f"has {there}. Name columns of the file.{hint}"
        )
    return {name: list(header).index(column) for name, column in columns.items()}


def _json_rows(
    file: pathlib.Path, content: str, columns: dict[str, Column]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{file}, line {number}: expected a JSON object on one line, but it is not JSON: "
                f"{error}. Write each row on its own line."
            ) from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{file}, line {number}: expected a JSON object, such as "
                f'{{"text": "...", "label": "..."}}, got {line[:60]}. Write each row as an object.'
            )
        missing = [column for column in columns.values() if column not in row]
        if missing:
            raise ValueError(
                f"{file}, line {number}: expected the keys {', '.join(map(repr, missing))}, but "
                f"the line has {', '.join(map(repr, row))}. Name keys that every line has."
            )
        yield number, {name: row[column] for name, column in columns.items()}
