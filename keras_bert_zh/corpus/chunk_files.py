"""The vectors of a chunk as one Parquet file, with its rejected rows."""

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert_zh.corpus.arrow import arrow, parquet
from keras_bert_zh.corpus.plan import Chunk
from keras_bert_zh.corpus.rows import Row
from keras_bert_zh.files.new_file import new_file

_KEY = b"keras_bert_zh"


def write_chunk(
    folder: pathlib.Path,
    chunk: Chunk,
    plan: str,
    rows: Sequence[Row],
    vectors: np.ndarray,
    *,
    keep: Sequence[str],
) -> None:
    """Writes a chunk; the file is there whole or not at all.

    Args:
        folder: where to.
        chunk: which one.
        plan: the digest of the plan.
        rows: all rows of the chunk.
        vectors: `<float>[R, D]`, of the rows that are not rejected.
        keep: the names of the columns that are kept.
    """
    pa = arrow()
    good = [row for row in rows if row.reason is None]
    kind = pa.float16() if vectors.dtype == np.float16 else pa.float32()
    flat = pa.array(vectors.reshape(-1), kind)
    columns = {
        "source": pa.array([chunk.source] * len(good), pa.string()),
        "row": pa.array([row.number for row in good], pa.int64()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    for place, name in enumerate(keep):
        columns[name] = pa.array([row.kept[place] for row in good], pa.string())
    rejects = [[row.number, row.reason] for row in rows if row.reason is not None]
    said = {"plan": plan, "rejects": rejects}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(said)})
    with new_file(folder / chunk.name) as file:
        # Vectors hardly compress, and so are read as they are stored.
        others = dict.fromkeys(("source", "row", *keep), "zstd")
        parquet().write_table(
            table,
            file,
            use_dictionary=["source"],
            compression=others | {"vector.list.element": "none"},
        )


class Written(NamedTuple):
    """The contents of a chunk.

    Attributes:
        vectors: int, the number of vectors.
        rejects: the numbers of the rejected rows, each with the reason.
    """

    vectors: int
    rejects: list[tuple[int, str]]


def read_chunk(folder: pathlib.Path, chunk: Chunk, plan: str) -> Written | None:
    """Returns what a chunk holds, or `None` if it is not there.

    Raises:
        ValueError: if the file is not a chunk of this plan.
    """
    file = folder / chunk.name
    if not file.exists():
        return None
    try:
        metadata = parquet().read_metadata(file)
        said = json.loads(metadata.metadata[_KEY])
    except (arrow().ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is damaged or does not belong to this corpus: delete it and run again."
        ) from error
    if said["plan"] != plan:
        raise ValueError(f"{file} belongs to another run: delete it and run again.")
    return Written(metadata.num_rows, [(number, reason) for number, reason in said["rejects"]])


def batches_in(file: pathlib.Path, columns: Sequence[str]) -> Iterator[Any]:
    """Yields record batches of a chunk, from memory that maps the file."""
    with parquet().ParquetFile(file, memory_map=True) as stored:
        yield from stored.iter_batches(1 << 14, columns=list(columns))
