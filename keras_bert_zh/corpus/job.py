"""The vectors of a whole corpus: plan, model and workers, in a folder for one run at a time."""

import contextlib
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence

from keras_bert_zh.corpus.embedder import Embedder
from keras_bert_zh.corpus.inputs import corpus_files
from keras_bert_zh.corpus.model import CALIBRATED_ON, make_model
from keras_bert_zh.corpus.names import LOCK, MODEL, PLAN
from keras_bert_zh.corpus.options import Options
from keras_bert_zh.corpus.plan import check_same, make_plan, read_plan, renewed_plan
from keras_bert_zh.corpus.rows import DamagedFileError, rows_of
from keras_bert_zh.corpus.run import Compute, Done, Progress, write_vectors


def embed_corpus(
    inputs: Sequence[str | os.PathLike],
    folder: pathlib.Path,
    options: Options,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress = lambda *counts: None,
) -> Done:
    """Writes the vectors of all rows of some files to a folder, as Parquet.

    Rows are read in chunks, and the vectors of a chunk are written completely or not at all. A run
    that was stopped for any reason continues when the function is called again. At the end, each
    row has one vector, or a reason in `rejects.jsonl` why it has none.

    Args:
        inputs: paths of files, or of folders of files.
        folder: the folder to write.
        options: the options of the vectors. A second run in a folder must have the same options.
        workers: int, the number of Ray workers that compute. `None`: compute in this process, or
            with `address`, on one worker per machine.
        address: str, the Ray cluster to join. `None` starts Ray on this machine, for `workers`.
        progress: called after the files have been read, and after each chunk.

    Raises:
        ValueError: if the folder contains the vectors of other files or options, or another run is
            using it.
        FileExistsError: if the folder contains something else.
        OSError: if a file can't be read or written.
        ImportError: if an extra is needed that is not installed.
        RuntimeError: if a worker fails repeatedly.
    """
    files = corpus_files(inputs, folder)
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        before = read_plan(folder)
        if before is not None:
            plan = renewed_plan(before, files, options)
            check_same(folder, before, plan)
            if not (folder / MODEL).is_dir():
                raise FileNotFoundError(
                    f"{folder / MODEL}, the model that computed the vectors in {folder}, is "
                    "missing: restore it, or choose another folder."
                )
        else:
            plan = make_plan(files, options)
            shutil.rmtree(folder / MODEL, ignore_errors=True)
            texts = itertools.islice(_texts(files, options), CALIBRATED_ON)
            make_model(folder / MODEL, options, texts)
        with _computing(folder, options, workers, address) as compute:
            if before is None:
                # Not before it is known that the model runs: options can be corrected until then.
                plan.write(folder)
            return write_vectors(plan, files, folder, compute, progress)


def _texts(files: Mapping[str, pathlib.Path], options: Options) -> Iterator[str]:
    for file in files.values():
        with contextlib.suppress(DamagedFileError):
            for row in rows_of(file, options.column, options.keep):
                if row.text:
                    yield row.text


@contextlib.contextmanager
def _computing(
    folder: pathlib.Path, options: Options, workers: int | None, address: str | None
) -> Iterator[Compute]:
    """Yields what makes vectors of chunks: this process, or workers of Ray."""
    arguments = (folder / MODEL, options.engine, options.batch_tokens)
    if workers is None and address is None:
        embedder = Embedder(*arguments)
        yield lambda works: ((work, embedder(work.texts)) for work in works)
        return
    from keras_bert_zh.corpus.on_ray import on_workers  # Which few need.

    with on_workers(*arguments, workers, address) as compute:
        yield compute


def _check_folder(folder: pathlib.Path) -> None:
    """Raises an error if a folder holds something else than a corpus."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is a file, but a folder is written there: choose another path."
        )
    if folder.is_dir() and not (folder / PLAN).exists():
        # What is hidden is what a killed run has begun.
        names = (entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        strange = sorted(name for name in names if name not in (LOCK, MODEL))
        if strange:
            raise FileExistsError(
                f"{folder} is not empty: it contains {strange[0]} and no {PLAN}. Choose another "
                "folder."
            )


@contextlib.contextmanager
def _alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Lets no other run into a folder; the lock ends with this process, even if it is killed."""
    import fcntl  # Windows has none, and neither has it tensorflow-text.

    with open(folder / LOCK, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another run is using {folder}: wait until it ends, or choose another folder."
            ) from error
        yield
