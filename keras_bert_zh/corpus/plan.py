"""The plan of a corpus: its files with their digests, their chunks, and all options."""

import dataclasses
import hashlib
import itertools
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_bert_zh.corpus.names import PLAN
from keras_bert_zh.corpus.options import Options
from keras_bert_zh.corpus.rows import DamagedFileError, Row, rows_of
from keras_bert_zh.files.new_file import new_file
from keras_bert_zh.files.sha256 import sha256_of

# A chunk ends with as many rows as asked for, or with so much text before.
_MOST_BYTES = 1 << 26


@dataclasses.dataclass(frozen=True)
class Input:
    """A file of a corpus.

    Args:
        name: str, what it is called in the corpus.
        bytes: int, its size.
        sha256: str, the digest of the stored file.
        rows: int, the number of its rows, including rejected rows.
        ends: tuple of int, for each chunk the number of the row after its last row.
        damaged: str, why it can't be read after its last row, or `None`.
    """

    name: str
    bytes: int
    sha256: str
    rows: int
    ends: tuple[int, ...]
    damaged: str | None = None


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Rows of one file whose vectors are in one file.

    Args:
        name: str, that of the file of vectors.
        source: str, that of the file of texts.
        first: int, the number of the first row.
        end: int, the number of the row behind the last one.
    """

    name: str
    source: str
    first: int
    end: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is done with a corpus, decided before anything is computed.

    Args:
        options: what vectors depend on, as JSON has it.
        inputs: the files, in their order.
    """

    options: Mapping[str, Any]
    inputs: tuple[Input, ...]

    @property
    def digest(self) -> str:
        """What tells this plan from others."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    @property
    def rows(self) -> int:
        """How many rows all files have."""
        return sum(file.rows for file in self.inputs)

    def chunks(self, file: int) -> list[Chunk]:
        """Returns the chunks of the file with this number."""
        found = self.inputs[file]
        return [
            Chunk(f"{file:05d}-{number:06d}.parquet", found.name, first, end)
            for number, (first, end) in enumerate(itertools.pairwise((0, *found.ends)))
        ]

    def all_chunks(self) -> Iterator[Chunk]:
        """Yields the chunks of all files, in their order."""
        for file in range(len(self.inputs)):
            yield from self.chunks(file)

    def write(self, folder: pathlib.Path) -> None:
        """Writes the plan to a folder."""
        with new_file(folder / PLAN) as file:
            file.write_text(self._text(), encoding="utf-8")

    def _text(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)


def renewed_plan(before: Plan, files: Mapping[str, pathlib.Path], options: Options) -> Plan:
    """Returns the plan of a corpus that has one; files that are as they were are not read again."""
    known = {file.name: file for file in before.inputs}
    if options.to_dict() != before.options:
        return Plan(options.to_dict(), before.inputs)
    inputs = []
    for name, file in files.items():
        same = name in known and known[name].bytes == file.stat().st_size
        same = same and known[name].sha256 == sha256_of(file)
        inputs.append(known[name] if same else _unread(name, file))
    return Plan(before.options, tuple(inputs))


def _unread(name: str, file: pathlib.Path) -> Input:
    return Input(name, file.stat().st_size, "", 0, ())


def make_plan(files: Mapping[str, pathlib.Path], options: Options) -> Plan:
    """Returns the plan of a corpus, whose files are read for it once.

    Args:
        files: the files by their names.
        options: what vectors depend on.

    Raises:
        ValueError: if a file has no such column.
        OSError: if it can't be read.
    """
    inputs = tuple(_input(name, file, options) for name, file in files.items())
    return Plan(options.to_dict(), inputs)


def _input(name: str, file: pathlib.Path, options: Options) -> Input:
    rows, size, begun, damaged = 0, 0, 0, None
    ends: list[int] = []
    state = state_of(file)
    try:
        for row in rows_of(file, options.column, options.keep):
            rows = row.number + 1
            size += _size(row)
            if rows - begun >= options.chunk_rows or size >= _MOST_BYTES:
                ends.append(rows)
                begun, size = rows, 0
    except DamagedFileError as error:
        damaged = error.reason
    if rows > begun:
        ends.append(rows)
    found = Input(name, file.stat().st_size, sha256_of(file), rows, tuple(ends), damaged)
    check_state(name, file, state)
    return found


def state_of(file: pathlib.Path) -> tuple[int, ...]:
    """Returns what tells whether a file is written to meanwhile."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def check_state(name: str, file: pathlib.Path, before: tuple[int, ...]) -> None:
    """Raises ValueError if a file is not what it was."""
    if state_of(file) != before:
        raise ValueError(
            f"{name} changed while it was being read. Restore it, or embed again to another folder "
            "once the file no longer changes."
        )


def _size(row: Row) -> int:
    return sum(4 * len(text) for text in (row.text, *row.kept) if text is not None)


def read_plan(folder: pathlib.Path) -> Plan | None:
    """Returns the plan in a folder, if it has one.

    Raises:
        ValueError: if it can't be read.
    """
    file = folder / PLAN
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        inputs = [Input(**one | {"ends": tuple(one["ends"])}) for one in found["inputs"]]
        return Plan(found["options"], tuple(inputs))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{file} is damaged or was written by another version: {error}. Delete {folder} and "
            "embed again."
        ) from error


def check_same(folder: pathlib.Path, before: Plan, now: Plan) -> None:
    """Raises ValueError, which says what differs, unless both plans are the same."""
    if before == now:
        return
    names = sorted({*before.options, *now.options})
    differs = [
        f"{name} was {before.options.get(name)!r} and is {now.options.get(name)!r}"
        for name in names
        if before.options.get(name) != now.options.get(name)
    ]
    old, new = ({file.name: file for file in plan.inputs} for plan in (before, now))
    differs += [f"{name} is missing" for name in old if name not in new]
    differs += [f"{name} is new" for name in new if name not in old]
    differs += [f"{name} has changed" for name in new if name in old and old[name] != new[name]]
    what = _first(differs or ["the files are in another order"])
    raise ValueError(
        f"{folder} contains the vectors of another run: {what}. Use the same files and options as "
        "before, or choose another folder."
    )


def _first(differences: Sequence[str], most: int = 5) -> str:
    more = len(differences) - most
    return "; ".join(differences[:most]) + (f"; and {more} more" if more > 0 else "")
