"""Computes, compares and remembers the sha256 of files."""

import contextlib
import os
import pathlib
import re
from collections.abc import Mapping

from keras_bert_zh.checkpoints.sources import cache
from keras_bert_zh.files.sha256 import sha256_of


def mismatches(folder: pathlib.Path, expected: Mapping[str, str]) -> list[str]:
    """Returns a line for each file that is missing, or has another sha256 than expected."""
    lines = []
    for name, digest in expected.items():
        if not (folder / name).is_file():
            lines.append(f"{name} is missing, expected sha256 {digest}")
        elif (found := sha256_of(folder / name)) != digest:
            lines.append(f"{name} has sha256 {found}, expected {digest}")
    return lines


def checked(expected: Mapping[str, str]) -> dict[str, str]:
    """Returns the digests that a user expects, in lower case.

    Raises:
        ValueError: if it is empty, a name is outside the folder that it is relative to, or a
            digest is not 64 hexadecimal digits.
        TypeError: if it is not a mapping from str to str.
    """
    if not isinstance(expected, Mapping):
        raise TypeError(f"sha256 must map file names to digests, got {expected!r}.")
    if not expected:
        raise ValueError("sha256 is empty; leave it out if there are no files to check.")
    for name, digest in expected.items():
        if not isinstance(name, str) or not isinstance(digest, str):
            raise TypeError(f"sha256 must map file names to digests, got {name!r}: {digest!r}.")
        if pathlib.PurePath(name).is_absolute() or ".." in pathlib.PurePath(name).parts:
            raise ValueError(
                f"sha256 names {name!r}, which is outside the checkpoint's folder (expected "
                f"digest {digest}). Use names relative to that folder."
            )
        if not re.fullmatch("[0-9a-fA-F]{64}", digest):
            raise ValueError(
                f"sha256 of {name!r} must be 64 hexadecimal digits, got {digest!r}: compute it "
                "with `sha256sum` or `shasum -a 256`."
            )
    return {name: digest.lower() for name, digest in expected.items()}


def sha256_once(path: pathlib.Path, expected: str) -> str:
    """Returns the file's sha256; does not read the file again if it matched `expected` before.

    The match is remembered in the package's cache until the file's size or time changes.
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
