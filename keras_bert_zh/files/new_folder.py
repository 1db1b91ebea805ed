"""Writes a folder of files in one step: completely, or not at all."""

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
    """Yields an empty folder next to `folder`, which replaces `folder` when the block ends.

    Until then `folder` does not change, and it never changes if the block raises an error. All
    files are on the disk before the folder is replaced. If a save is killed, hidden folders remain
    next to `folder`; the next save to the same place removes them. A lock protects saves that
    still run.

    Args:
        folder: where to write the files. Missing parents are created; a link is followed.
        replaces: what may be replaced; `None` if only an empty folder may be.
        overwrite: whether to replace it.

    Raises:
        FileExistsError: if the folder is not empty and `overwrite` is not set.
        NotADirectoryError: if the folder or one of its parents is a file.
        ValueError: if it contains anything else, or can't be replaced.
    """
    folder = pathlib.Path(os.path.realpath(folder))

    def check() -> None:
        _check(folder, replaces, overwrite)

    with unfinished(folder, check, lambda new: _put(new, folder)) as new:
        yield new


def check_place(
    folder: pathlib.Path, *, replaces: Replaceable | None = None, overwrite: bool = False
) -> None:
    """Raises at once the errors that `new_folder` would raise later, and leaves nothing behind."""
    folder = pathlib.Path(os.path.realpath(folder))
    _check(folder, replaces, overwrite)
    parent = next(parent for parent in folder.parents if os.path.lexists(parent))
    if not parent.is_dir():
        raise NotADirectoryError(f"{folder} can't be created: {parent} is a file, not a folder.")
    # Permissions do not tell: the disk may be one that is only read.
    probe = sibling(parent / folder.name, "new")
    probe.mkdir()
    probe.rmdir()


def _check(folder: pathlib.Path, replaces: Replaceable | None, overwrite: bool) -> None:
    """Raises an error if the folder may not be replaced."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is a file, but a folder is written there: choose another path."
        )
    if os.path.ismount(folder) or pathlib.Path.cwd().is_relative_to(folder):
        raise ValueError(
            f"{folder} can't be replaced, because it is or contains a mount point or the working "
            "directory: choose a folder inside it."
        )
    if not any(folder.iterdir()):
        return
    if replaces is None:
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder.")
    if not overwrite:
        raise FileExistsError(
            f"{folder} exists and is not empty. Pass overwrite=True (--overwrite) to replace the "
            f"{replaces.name} in it, or choose another folder."
        )
    try:
        replaces.check(folder)
    except ValueError as error:
        raise ValueError(
            f"{folder} was not replaced: choose another folder, or move this one elsewhere. {error}"
        ) from error


def _put(new: pathlib.Path, folder: pathlib.Path) -> None:
    """Renames the new folder; the old one is only removed after that."""
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
