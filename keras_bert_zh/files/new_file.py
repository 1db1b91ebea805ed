"""Writes a file in one step: completely, or not at all."""

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
    """Yields a path to write to; when the block ends, that file replaces `file`.

    The path has the name of `file`, in a hidden folder next to it. Until the block ends, `file`
    does not change, and it never changes if the block raises an error. If a process is killed, the
    next process that writes the same file removes what is left.

    Args:
        file: where to write the file. Missing parents are created; a link is followed.
        replaces: called with the file, if it exists, before the block and again before it is
            replaced; raises an error to keep the file. `None` replaces any file.

    Raises:
        IsADirectoryError: if `file` is a folder.
        NotADirectoryError: if one of its parents is a file.
    """
    file = pathlib.Path(os.path.realpath(file))

    def check() -> None:
        if file.is_dir():
            raise IsADirectoryError(
                f"{file} is a folder, but a file is written there: choose another path."
            )
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
