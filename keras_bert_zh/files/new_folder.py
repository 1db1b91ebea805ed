"""Puts a folder of files in place all at once: whole, or not at all."""

import contextlib
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator

from keras_bert_zh.files.replaceable import Replaceable
from keras_bert_zh.files.unfinished import flush, sibling, unfinished


@contextlib.contextmanager
def new_folder(
    folder: pathlib.Path, *, replaces: Replaceable | None = None, overwrite: bool = False
) -> Iterator[pathlib.Path]:
    """Yields an empty folder beside `folder`, which takes its place when the block ends.

    Until then `folder` is as it was, and so it stays if the block raises. All files are on the
    disk before they are in place. What a killed save leaves, hidden folders beside `folder`, the
    next one to the same place removes; a lock tells them from those of a save under way.

    Args:
        folder: where the files are to be. Missing parents are made; a link is followed.
        replaces: what may be replaced; `None` if nothing is but an empty folder.
        overwrite: whether it may.

    Raises:
        FileExistsError: if the folder is not empty and `overwrite` is not set.
        NotADirectoryError: if it, or a parent of it, is a file.
        ValueError: if it holds something else or anything more, or can't be replaced.
    """
    folder = pathlib.Path(os.path.realpath(folder))

    def check() -> None:
        _check(folder, replaces, overwrite)

    with unfinished(folder, check, lambda new: _put(new, folder)) as new:
        yield new


def check_place(
    folder: pathlib.Path, *, replaces: Replaceable | None = None, overwrite: bool = False
) -> None:
    """Raises at once what `new_folder` would raise later, and leaves nothing behind."""
    folder = pathlib.Path(os.path.realpath(folder))
    _check(folder, replaces, overwrite)
    parent = next(parent for parent in folder.parents if os.path.lexists(parent))
    if not parent.is_dir():
        raise NotADirectoryError(f"{folder} can't be made: {parent} is a file, not a folder.")
    # Permissions do not tell: the disk may be one that is only read.
    probe = sibling(parent / folder.name, "new")
    probe.mkdir()
    probe.rmdir()


def _check(folder: pathlib.Path, replaces: Replaceable | None, overwrite: bool) -> None:
    """Raises an error if the folder may not be replaced."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, and a folder is written. Name another.")
    if os.path.ismount(folder) or pathlib.Path.cwd().is_relative_to(folder):
        raise ValueError(
            f"{folder} is a mount point or the working directory, or holds it, and a folder is "
            "replaced as a whole: name a folder inside it."
        )
    if not any(folder.iterdir()):
        return
    if replaces is None:
        raise FileExistsError(f"{folder} exists and is not empty: name another folder.")
    if not overwrite:
        raise FileExistsError(
            f"{folder} exists and is not empty. Pass overwrite=True (--overwrite) to replace the "
            f"{replaces.name} in it, or name another folder."
        )
    try:
        replaces.check(folder)
    except ValueError as error:
        raise ValueError(
            f"{folder} is replaced as a whole or not at all, and was left as it is: name another "
            f"folder, or move this one elsewhere. {error}"
        ) from error


def _put(new: pathlib.Path, folder: pathlib.Path) -> None:
    """Renames the new folder; what was there before is gone only after that."""
    if folder.is_dir():
        shutil.copymode(folder, new)
    if not folder.is_dir() or not any(folder.iterdir()):
        os.rename(new, folder)
        flush(folder.parent)
        return
    old = sibling(folder, "old")
    try:
        os.rename(folder, old)
        os.rename(new, folder)
    except BaseException:
        if not os.path.lexists(folder):
            os.rename(old, folder)
        raise
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
    if old.exists():
        warnings.warn(
            f"{folder} was replaced, but the old folder can't be removed: delete {old}.",
            stacklevel=2,
        )
