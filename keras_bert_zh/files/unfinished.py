"""The hidden folder in which a file or folder is written before it is moved to its place."""

import contextlib
import errno
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def unfinished(
    place: pathlib.Path, check: Callable[[], None], put: Callable[[pathlib.Path], None]
) -> Iterator[pathlib.Path]:
    """Yields an empty folder next to `place`; when the block ends, its content is moved to `place`.

    By then everything is on the disk. The folder is always removed, also if the block raises.

    If a process is killed, the next process that writes to the same place removes what is left. A
    lock protects folders that are still in use.

    Args:
        place: a path without links. Missing parents are created.
        check: called after the remains of killed processes are removed; raises an error if nothing
            may be written there. Called again before `put`.
        put: called with the folder, to move it, or its content, to `place`.

    Raises:
        NotADirectoryError: if one of the parents of `place` is a file.
    """
    _make_parents(place)
    with contextlib.ExitStack() as writing:
        with _lock(place.parent, wait=True) as alone:
            if alone:
                _tidy_up(place)
            check()
            new = sibling(place, "new")
            new.mkdir()
            writing.enter_context(_lock(new, wait=True))
        try:
            yield new
            _finish(new)
            with _lock(place.parent, wait=True):
                check()
                put(new)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def sibling(folder: pathlib.Path, kind: str) -> pathlib.Path:
    return folder.with_name(f".{folder.name}.{kind}-{secrets.token_hex(4)}")


@contextlib.contextmanager
def _lock(folder: pathlib.Path, *, wait: bool) -> Iterator[bool]:
    """Yields whether only this process uses the folder; the lock ends with the process.

    Some network file systems have no such locks: there, no folder ever counts as abandoned.
    """
    import fcntl  # Windows has none, and neither has it tensorflow-text.

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except OSError:
            locked = False
        yield locked
    finally:
        os.close(descriptor)


def _finish(folder: pathlib.Path) -> None:
    """Gives the files the read permissions of the folder, which safetensors does not do, and
    flushes everything to the disk.
    """
    permissions = folder.stat().st_mode & 0o666
    for path in (*folder.rglob("*"), folder):
        if path.is_file():
            path.chmod(permissions)
        flush(path)


def flush(path: pathlib.Path) -> None:
    """Flushes this file, or the names in this folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems can't do that for folders.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _make_parents(place: pathlib.Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(
            f"{place} can't be created: {error.filename} is a file, not a folder."
        ) from error


def _tidy_up(folder: pathlib.Path) -> None:
    """Removes the remains of killed saves. If a save was killed while it replaced the folder, the
    only copy of the old folder is among them: it is put back.
    """
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.(new|old)-[0-9a-f]{{8}}")
    for entry in sorted(folder.parent.iterdir()):
        match = pattern.fullmatch(entry.name)
        if match is None or entry.is_symlink() or not entry.is_dir():
            continue
        if match[1] == "old" and not os.path.lexists(folder):
            os.rename(entry, folder)
            continue
        with _lock(entry, wait=False) as abandoned:
            if abandoned:
                shutil.rmtree(entry, ignore_errors=True)
