"""What a folder holds, and where it is."""

import pathlib
import shutil


def contents(folder):
    """Returns the bytes of every file in the folder, by path; None for a subfolder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(pathlib.Path(folder).rglob("*"))
    }


def move_and_lock(folder, place):
    """Moves a folder to another place, where nobody can write to it."""
    shutil.move(folder, place)
    for path in pathlib.Path(place).rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
