"""Puts a file in place all at once: whole, or not at all."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from keras_bert_zh.files.unfinished import flush, unfinished


@contextlib.contextmanager
def new_file(
    file: str | os.PathLike, *, replaces: Callable[[pathlib.Path], None] | None = None
) -> Iterator[pathlib.Path]:
    """Yields a path to write to, whose file takes the place of `file` when the block ends.

    The path has the name of `file`, in a hidden folder beside it. Until the block ends `file` is
    as it was, and so it stays if the block raises. What a killed process leaves, the next one that
    writes the same file removes.

    Args:
        file: where the file is to be. Missing parents are made; a link is followed.
        replaces: called with the file, if it is there, before the block and again before it is
            replaced; raises an error if it must stay. `None` replaces any file.

    Raises:
        IsADirectoryError: if `file` is a folder.
        NotADirectoryError: if a parent of it is a file.
    """
    file = pathlib.Path(os.path.realpath(file))

    def check() -> None:
        if file.is_dir():
            raise IsADirectoryError(f"{file} is a folder, and a file is written. Name another.")
        if file.exists() and replaces is not None:
            replaces(file)

    def put(folder: pathlib.Path) -> None:
        new = folder / file.name
        if file.exists():
            shutil.copymode(file, new)
        os.replace(new, file)
        flush(file.parent)

    with unfinished(file, check, put) as folder:
        yield folder / file.name
