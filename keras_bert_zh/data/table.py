"""Table: texts and labels from TSV, CSV and JSON Lines files; errors name file and line."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert_zh.arguments import check_choice, is_number
from keras_bert_zh.data.table_rows import Column, checked_columns, rows_of

KINDS = ("one", "several", "number")


@dataclasses.dataclass(frozen=True)
class Table:
    """Texts and labels of a file, row by row. `read_table` returns it.

    Attributes:
        file: pathlib.Path.
        texts: list of str.
        texts_b: list of str, the second text of each pair, or `None`.
        labels: list of str; of tuples of str for `label_kind="several"`; of float for `"number"`;
            or `None` if no label was requested.
        lines: list of int, the line of the file where each row begins, counted from 1.
    """

    file: pathlib.Path
    texts: list[str]
    texts_b: list[str] | None
    labels: list[Any] | None
    lines: list[int]

    def label_names(self) -> tuple[str, ...]:
        """Returns the different labels, sorted; numbers are sorted by their value.

        Raises:
            ValueError: if there are no labels, or all rows have the same one.
        """
        names = {name for label in self._labels() for name in _several(label)}
        if len(names) < 2:
            raise ValueError(
                f"{self.file}: expected two or more different labels, but every row has "
                f"{' '.join(map(repr, names)) or 'none'}. Name the column that has the labels, "
                "or add rows of the other classes."
            )
        if all(name.isdecimal() for name in names):
            return tuple(sorted(names, key=lambda name: (int(name), name)))
        return tuple(sorted(names))

    def label_ids(self, names: Sequence[str]) -> np.ndarray:
        """Returns the index of each label in `names`.

        Args:
            names: sequence of K str.

        Returns:
            `<int32>[rows]`; for `label_kind="several"`, `<float32>[rows, K]` of 0 and 1.

        Raises:
            ValueError: if a label is not in `names`; the message says in which line.
        """
        places = {name: place for place, name in enumerate(names)}
        labels = self._labels()
        rows = [
            [self._place(places, name, row) for name in _several(labels[row])]
            for row in range(len(labels))
        ]
        if not labels or isinstance(labels[0], str):
            return np.array([row[0] for row in rows], np.int32)
        ids = np.zeros((len(rows), len(names)), np.float32)
        for row, found in enumerate(rows):
            ids[row, found] = 1
        return ids

    def _place(self, places: dict[str, int], name: str, row: int) -> int:
        if name not in places:
            known = ", ".join(map(repr, [*places][:20])) + (", ..." if len(places) > 20 else "")
            raise ValueError(
                f"{self.file}, line {self.lines[row]}: expected a label among {known}, got "
                f"{name!r}. Correct the line, or train with rows that have this label."
            )
        return places[name]

    def _labels(self) -> list[Any]:
        if self.labels is None or (self.labels and is_number(self.labels[0])):
            found = "no labels" if self.labels is None else "numbers instead of labels"
            raise ValueError(
                f"{self.file} was read with {found}: call read_table with label=COLUMN."
            )
        return self.labels


def read_table(
    file: str | os.PathLike,
    text: Column = "text",
    label: Column | None = None,
    *,
    text_b: Column | None = None,
    label_kind: str = "one",
) -> Table:
    """Reads texts and labels from a TSV, CSV or JSON Lines file.

    The name of the file says its format: TSV (`.tsv`, `.txt`: a row is a line, and quotes are part
    of the text), CSV (`.csv`: cells may be in quotes and contain commas and line breaks), or JSON
    Lines (`.jsonl`, `.json`: one JSON object per line). The file must be UTF-8. TSV and CSV files
    have a header with the names of columns, unless the columns are given by number. A row may have
    an empty text, but not an empty label. Blank lines are skipped.

    Args:
        file: path of the file.
        text: str, the name of the column of texts; or int, its number counted from 0, for a file
            without a header.
        label: the column of labels, in the same form as `text`. `None`: no labels.
        text_b: the column of second texts for pairs, in the same form. `None`: no pairs.
        label_kind: `"one"`, one label per row; `"several"`, any number of labels, as a JSON list
            or separated by commas; `"number"`, a number such as a similarity.

    Returns:
        Table.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is not UTF-8, is empty or has another format, lacks a column, or
            has a row that is not as described. The message names the file, the line, what was
            expected and what to do.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert_zh import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "reviews.tsv")
    ...     _ = file.write_text("label\\ttext\\n好评\\t很好\\n差评\\t太差了\\n", encoding="utf-8")
    ...     table = read_table(file, "text", "label")
    >>> table.texts, table.labels, table.label_ids(["差评", "好评"]).tolist()
    (['很好', '太差了'], ['好评', '差评'], [1, 0])
    """
    file = pathlib.Path(file)
    kind = check_choice("label_kind", label_kind, KINDS)
    columns = checked_columns(file, text=text, text_b=text_b, label=label)
    lines: list[int] = []
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for line, row in rows_of(file, columns):
        lines.append(line)
        for name, cell in row.items():
            read = _label(cell, kind) if name == "label" else _text(cell)
            if read is None:
                raise ValueError(
                    f"{file}, line {line}: expected {_expected(name, kind)} in the column "
                    f"{columns[name]!r}, got {cell!r}. Correct the line, or remove it."
                )
            found[name].append(read)
    if not lines:
        raise ValueError(f"{file}: expected rows of texts, but it has none. Use another file.")
    return Table(file, found["text"], found.get("text_b"), found.get("label"), lines)


def _text(cell: Any) -> str | None:
    return cell if isinstance(cell, str) else None


def _label(cell: Any, kind: str) -> Any:
    """Returns a label of this kind, or `None` if the cell holds none."""
    if kind == "number":
        try:
            number = math.nan if isinstance(cell, bool) else float(cell)
        except (TypeError, ValueError):
            return None
        return number if math.isfinite(number) else None
    if kind == "several":
        names = cell if isinstance(cell, list) else str(cell).split(",") if cell else []
        found = [_name(name) for name in names]
        return None if None in found else tuple(found)
    return _name(cell)


def _name(cell: Any) -> str | None:
    if isinstance(cell, bool) or not (isinstance(cell, str) or is_number(cell)):
        return None
    return str(cell).strip() or None


def _several(label: Any) -> Sequence[str]:
    return (label,) if isinstance(label, str) else label


def _expected(name: str, kind: str) -> str:
    if name != "label":
        return "a text"
    return {"one": "a label", "several": "labels", "number": "a number"}[kind]
