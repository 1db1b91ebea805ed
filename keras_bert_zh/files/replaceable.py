"""What may be replaced: only what is told from its files to be of the same kind."""

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
    """What is written to a place, and so may be replaced there.

    Attributes:
        name: str, what it is called in messages.
        check: raises ValueError, which says what was found, if a folder holds something else or
            anything more.
    """

    name: str
    check: Callable[[pathlib.Path], None]


def unknown_files(folder: pathlib.Path, files: Files) -> Iterator[str]:
    """Yields the paths of what is in the folder and has none of the names."""
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
