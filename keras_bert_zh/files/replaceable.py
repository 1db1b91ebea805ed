"""Decides what may be replaced: only files that are recognised as the same kind."""

import pathlib
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

# Patterns of the names of files, by subfolder.
Files = Mapping[str, tuple[str, ...]]

# Of a SavedModel that has no assets.
SAVED_MODEL_FILES: Files = {
    "": ("saved_model.pb", "fingerprint.pb"),
    "variables": ("variables.index", "variables.data-?????-of-?????"),
    "assets": (),
}


class Replaceable(NamedTuple):
    """A kind of content that may be replaced by new content of the same kind.

    Attributes:
        name: str, its name in messages.
        check: raises ValueError, which says what was found, if a folder contains anything
            else.
    """

    name: str
    check: Callable[[pathlib.Path], None]


def unknown_files(folder: pathlib.Path, files: Files) -> Iterator[str]:
    """Yields the paths in the folder that match none of the names."""
    for room, patterns in files.items():
        entries = (folder / room).iterdir() if (folder / room).is_dir() else ()
        for entry in sorted(entries):
            path = entry.relative_to(folder).as_posix()
            if entry.is_dir() and not entry.is_symlink():
                known = path in files
            else:
                known = any(fnmatchcase(entry.name, pattern) for pattern in patterns)
            if not known:
                yield path
