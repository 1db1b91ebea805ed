"""What a folder holds."""

import pathlib


def contents(folder):
    """Returns the bytes of every file in the folder, by path; None for a subfolder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(pathlib.Path(folder).rglob("*"))
    }
