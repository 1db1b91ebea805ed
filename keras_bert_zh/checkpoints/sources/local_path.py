"""Checkpoints on this machine: a folder, a zip archive, or the one inside the package."""

import os
import pathlib

from keras_bert_zh.checkpoints.sources import archive
from keras_bert_zh.checkpoints.sources.found import Found

SMALL = '"small", the checkpoint that comes with the package'
FORM = f"""{SMALL};
- a local path: a folder, a zip archive or, for google-research/bert, the prefix of its files"""

_PRESETS = pathlib.Path(__file__).parents[2] / "presets"


def fetch(source: str | os.PathLike) -> Found:
    """Returns the path as it is, or the folder in the cache with the content of the archive.

    Raises:
        ValueError: if an archive is damaged or not safe to unpack.
    """
    # A folder of that name is reached as "./small".
    if source == "small":
        return Found(_PRESETS / source, verified=False, cached=None)
    path = pathlib.Path(source).expanduser()
    if archive.is_archive(path):
        folder = archive.unpack(path)
        return Found(folder, verified=True, cached=folder)
    return Found(path, verified=False, cached=None)
