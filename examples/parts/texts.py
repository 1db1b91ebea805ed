"""Texts of the user's files: which of them are read, and how many are cut."""

import argparse
import dataclasses
import pathlib
import warnings
from typing import Any

from keras_bert_zh import BertPreprocess, TruncationWarning, read_table
from keras_bert_zh.data.table import Table


def first_rows(table: Table, options: argparse.Namespace) -> Table:
    """Returns as many rows of --train as `--rows` says."""
    rows = getattr(options, "rows", None)
    columns = {"texts": table.texts, "labels": table.labels, "lines": table.lines}
    if table.texts_b is not None:
        columns["texts_b"] = table.texts_b
    return dataclasses.replace(table, **{name: held[:rows] for name, held in columns.items()})


def table_of(file: pathlib.Path, options: argparse.Namespace) -> Table:
    """Reads texts: the lines of a .txt, or of another file the column `--text`."""
    return read_table(file, 0 if file.suffix == ".txt" else options.text)


def count_long(preprocess: BertPreprocess, *parts: Any) -> list[int]:
    """Returns how many texts, or pairs, of each part are cut; no warning will say it again."""
    warnings.simplefilter("ignore", TruncationWarning)
    return [preprocess.count_truncated(part).texts for part in parts]
