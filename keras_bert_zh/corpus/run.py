"""A run over a corpus: reads rows, computes their vectors, and writes chunk after chunk."""

import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert_zh.corpus.chunk_files import read_chunk, write_chunk
from keras_bert_zh.corpus.embedder import Embedded, longest_of
from keras_bert_zh.corpus.names import MODEL, PLAN, REJECTS
from keras_bert_zh.corpus.plan import Chunk, Input, Plan, check_state, state_of
from keras_bert_zh.corpus.rows import DamagedFileError, Row, rows_of
from keras_bert_zh.files.new_file import new_file


class Work(NamedTuple):
    """A chunk with its rows."""

    chunk: Chunk
    rows: list[Row]

    @property
    def texts(self) -> list[str]:
        return [row.text for row in self.rows if row.text is not None]


# What makes vectors: takes chunks with their rows, and returns each of them with what became of its
# texts, in any order.
Compute = Callable[[Iterable[Work]], Iterable[tuple[Work, Embedded]]]


# Called with how many rows there are, how many of them are done now, how many tokens were computed
# for these, and how many of them were rejected.
Progress = Callable[[int, int, int, int], Any]


class Done(NamedTuple):
    """The result of a run.

    Attributes:
        vectors: int, the number of rows with a vector, including those of earlier runs.
        rejected: int, the number of rows without a vector.
        damaged: the files that are incomplete or damaged.
    """

    vectors: int
    rejected: int
    damaged: list[str]


def write_vectors(
    plan: Plan,
    files: Mapping[str, pathlib.Path],
    folder: pathlib.Path,
    compute: Compute,
    progress: Progress,
) -> Done:
    """Writes the vectors of all chunks that are not there yet, and the list of rejected rows.

    Args:
        plan: what is to be done.
        files: the files by their names.
        folder: where to.
        compute: what makes vectors.
        progress: called at first for all chunks that are there, and after each other one.

    Raises:
        ValueError: if a file has changed, or a chunk is not one of this plan.
        OSError: if something can't be read or written.
    """
    options, digest = plan.options, plan.digest
    most = None if options["truncate"] else longest_of(folder / MODEL)
    missing, there, rejected = set(), 0, 0
    for chunk in plan.all_chunks():
        written = read_chunk(folder, chunk, digest)
        if written is None:
            missing.add(chunk.name)
        else:
            there, rejected = there + chunk.end - chunk.first, rejected + len(written.rejects)
    progress(plan.rows, there, 0, rejected)
    states = {name: state_of(file) for name, file in files.items()}
    for work, found in compute(_works(plan, files, missing)):
        source = work.chunk.source
        check_state(source, files[source], states[source])
        if not (folder / PLAN).is_file():
            raise FileNotFoundError(
                f"{folder / PLAN} was deleted while vectors were computed: run again."
            )
        rows = work.rows if most is None else _without_long(work.rows, found.lengths, most)
        fits = slice(None) if most is None else found.lengths <= most
        vectors = found.vectors[fits].astype(np.float16 if options["half"] else np.float32)
        write_chunk(folder, work.chunk, digest, rows, vectors, keep=options["keep"])
        rejected = sum(row.reason is not None for row in rows)
        progress(plan.rows, work.chunk.end - work.chunk.first, found.tokens, rejected)
    return _finish(plan, folder, digest)


def _works(plan: Plan, files: Mapping[str, pathlib.Path], missing: set[str]) -> Iterator[Work]:
    """Yields the chunks that are missing with their rows, file after file."""
    options = plan.options
    for number, file in enumerate(plan.inputs):
        chunks = plan.chunks(number)
        if missing.isdisjoint(chunk.name for chunk in chunks):
            continue
        rows = _known_rows(rows_of(files[file.name], options["column"], options["keep"]), file)
        row = next(rows, None)
        for chunk in chunks:
            wanted = chunk.name in missing
            found = []
            while row is not None and row.number < chunk.end:
                if wanted:
                    found.append(row)
                row = next(rows, None)
            if wanted:
                yield Work(chunk, found)
        for row in rows:  # None is left, or the file has changed.
            raise ValueError(_changed(file, row.number + 1))


def _known_rows(rows: Iterator[Row], file: Input) -> Iterator[Row]:
    """Yields the rows of a file, which must end as the plan says that it ends."""
    count, damaged = 0, False
    try:
        for row in rows:
            count = row.number + 1
            yield row
    except DamagedFileError:
        damaged = True
    if (count, damaged) != (file.rows, file.damaged is not None):
        raise ValueError(_changed(file, count))


def _changed(file: Input, count: int) -> str:
    return (
        f"{file.name} changed while it was being read: it had {file.rows} rows and now has "
        f"{count}. Restore it, or embed again to another folder."
    )


def _without_long(rows: Sequence[Row], lengths: np.ndarray, most: int) -> list[Row]:
    """Returns rows of which those are rejected that have more tokens than are read."""
    left = iter(lengths)
    checked = []
    for row in rows:
        length = next(left) if row.reason is None else 0
        if length > most:
            reason = f"{length} tokens, but at most {most} are read"
            checked.append(row._replace(text=None, reason=reason))
        else:
            checked.append(row)
    return checked


def _finish(plan: Plan, folder: pathlib.Path, digest: str) -> Done:
    """Writes the list of rejected rows, from what the chunks say."""
    vectors = rejected = 0
    with new_file(folder / REJECTS) as new, open(new, "w", encoding="utf-8") as output:

        def reject(source: str, row: int, reason: str) -> None:
            line = {"source": source, "row": row, "reason": reason}
            output.write(json.dumps(line, ensure_ascii=False) + "\n")

        for number, file in enumerate(plan.inputs):
            for chunk in plan.chunks(number):
                written = read_chunk(folder, chunk, digest)
                if written is None:
                    raise FileNotFoundError(f"{folder / chunk.name} is missing: run again.")
                vectors, rejected = vectors + written.vectors, rejected + len(written.rejects)
                for row, reason in written.rejects:
                    reject(file.name, row, reason)
            if file.damaged is not None:
                reject(file.name, file.rows, f"the file is damaged from here on: {file.damaged}")
    damaged = [file.name for file in plan.inputs if file.damaged is not None]
    return Done(vectors, rejected, damaged)
