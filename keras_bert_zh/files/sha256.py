"""The sha256 of a file."""

import hashlib
import pathlib


def sha256_of(path: pathlib.Path) -> str:
    """Returns the sha256 of the file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
