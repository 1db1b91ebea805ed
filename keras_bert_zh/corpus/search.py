"""Exact search in the vectors of a corpus, with memory-mapped files."""

import heapq
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_bert_zh.corpus.chunk_files import batches_in, read_chunk
from keras_bert_zh.corpus.names import COLUMNS
from keras_bert_zh.corpus.plan import Plan


class Found(NamedTuple):
    """A row that is close to a query.

    Attributes:
        score: float, the cosine of both vectors.
        source: str, the name of the file that has the row.
        row: int, its number, counted from 0.
        kept: dict of str, the columns that were kept.
    """

    score: float
    source: str
    row: int
    kept: dict[str, str | None]


def search(folder: pathlib.Path, plan: Plan, query: np.ndarray, top: int) -> list[Found]:
    """Returns the rows whose vectors have the largest cosine with a query vector.

    Args:
        folder: that of the corpus.
        plan: the plan in it. Chunks that are not written yet are left out.
        query: `<float32>[D]`.
        top: int, how many rows.

    Raises:
        ValueError: if a file is damaged, or of another run.
    """
    query = query / max(np.linalg.norm(query), np.finfo(np.float32).tiny)
    keep = plan.options["keep"]
    best: list[tuple[float, int, Found]] = []
    number = 0
    for file in written_files(folder, plan):
        for batch in batches_in(file, (*COLUMNS, *keep)):
            vectors = batch.column("vector").flatten().to_numpy().reshape(len(batch), -1)
            scores = _cosines(vectors, query)
            for place in np.argsort(-scores, kind="stable")[:top]:
                score = float(scores[place])
                number += 1
                if len(best) == top and score <= best[0][0]:
                    break
                cells = {name: batch.column(name)[place].as_py() for name in keep}
                found = Found(
                    score,
                    batch.column("source")[place].as_py(),
                    batch.column("row")[place].as_py(),
                    cells,
                )
                # The number tells equal scores apart: the first row comes first.
                heapq.heappush(best, (score, -number, found))
                if len(best) > top:
                    heapq.heappop(best)
    return [found for *_, found in sorted(best, key=lambda one: one[:2], reverse=True)]


def written_files(folder: pathlib.Path, plan: Plan) -> Iterator[pathlib.Path]:
    """Yields the files of vectors that a run has written so far, in the order of its plan."""
    digest = plan.digest
    for chunk in plan.all_chunks():
        if read_chunk(folder, chunk, digest) is not None:
            yield folder / chunk.name


def _cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32, copy=False)
    sizes = np.linalg.norm(vectors, axis=1)
    return vectors @ query / np.maximum(sizes, np.finfo(np.float32).tiny)
