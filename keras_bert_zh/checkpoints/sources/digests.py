"""The sha256 of files: computed, compared, remembered."""

import contextlib
import os
import pathlib
import re
from collections.abc import Mapping

from keras_bert_zh.checkpoints.sources import cache
from keras_bert_zh.files.sha256 import sha256_of


def mismatches(folder: pathlib.Path, expected: Mapping[str, str]) -> list[str]:
    """Returns a line for each file that is missing, or whose sha256 is not the expected one."""
    lines = []
    for name, digest in expected.items():
        if not (folder / name).is_file():
            lines.append(f"{name} is missing, expected sha256 {digest}")
        elif (found := sha256_of(folder / name)) != digest:
            lines.append(f"{name} has sha256 {found}, expected {digest}")
    return lines


def checked(expected: Mapping[str, str]) -> dict[str, str]:
    """Returns what a user expects of files, with digests in lower case.

    Raises:
        ValueError: if it names no file, a name leads out of the folder it is relative to, or a
            digest is not 64 hexadecimal digits.
        TypeError: if it is no mapping of strings to strings.
    """
    if not isinstance(expected, Mapping):
        raise TypeError(f"sha256 must map file names to digests, got {expected!r}.")
    if not expected:
        raise ValueError("sha256 names no file; leave it out if nothing is to be compared.")
    for name, digest in expected.items():
        if not isinstance(name, str) or not isinstance(digest, str):
            raise TypeError(f"sha256 must map file names to digests, got {name!r}: {digest!r}.")
        if pathlib.PurePath(name).is_absolute() or ".." in pathlib.PurePath(name).parts:
            raise ValueError(
                f"sha256 names {name!r}, which leads out of the checkpoint's folder (expected "
                f"digest {digest}). Names are relative to that folder."
            )
        if not re.fullmatch("[0-9a-fA-F]{64}", digest):
            raise ValueError(
                f"sha256 of {name!r} must be 64 hexadecimal digits, got {digest!r}: compute it "
                "with `sha256sum` or `shasum -a 256`."
            )
    return {name: digest.lower() for name, digest in expected.items()}


def sha256_once(path: pathlib.Path, expected: str) -> str:
    """Returns the sha256 of the file, unread if it was `expected` when it was read before.

    That it was is remembered in the package's cache until the file changes its size or time.
    """
    status = os.stat(path)
    stamp = repr((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)).encode()
    memory = cache.folder() / "checked" / expected
    if memory.is_file() and memory.read_bytes() == stamp:
        return expected
    found = sha256_of(path)
    if found == expected:
        # Where the cache can't be written to, the file is read again next time: slower, not wrong.
        with contextlib.suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_bytes(stamp)
    return found
