"""Decides which members of a zip archive are unpacked, and where; refuses unsafe ones."""

import pathlib
import re
import stat
import unicodedata
import zipfile
from typing import NamedTuple

# Float32 weights hardly shrink at all, graphs and vocabularies to about a tenth.
_MOST_BYTES_A_BYTE = 50
_MOST_MEMBERS = 10_000
_ENCRYPTED = 0x1
# What macOS adds to the archives that it makes.
_RESOURCE_FORKS = "__MACOSX"


class Members(NamedTuple):
    """The files of an archive.

    Attributes:
        files: ZipInfo by the path to unpack it to, relative to the top folder if there is one.
        top: str, the name of the only top folder; `None` if there is none.
    """

    files: dict[pathlib.PurePosixPath, zipfile.ZipInfo]
    top: str | None


def members(archive: zipfile.ZipFile, size: int) -> Members:
    """Returns the files of the archive.

    Args:
        archive: the opened archive.
        size: int, the size of the archive in bytes.

    Raises:
        ValueError: if the archive is empty or another kind of model; if a member would be
            written outside the folder or over another member, is not a regular file, is encrypted
            or compressed in an unusual way; or if they are far larger than the archive.
    """
    infos = archive.infolist()
    _refuse_other_models({info.filename for info in infos})
    _refuse_bombs(infos, size)
    for info in infos:
        problem = _problem(info)
        if problem:
            raise ValueError(f"its member {info.orig_filename!r} {problem}")
    files = {pathlib.PurePosixPath(i.filename): i for i in infos if not i.is_dir()}
    _refuse_clashes([info for info in infos if not info.is_dir()])
    files = {path: info for path, info in files.items() if path.parts[0] != _RESOURCE_FORKS}
    if not files:
        raise ValueError("it contains no files")
    tops = {path.parts[0] for path in files}
    if len(tops) != 1 or any(len(path.parts) == 1 for path in files):
        return Members(files, None)
    (top,) = tops
    return Members({path.relative_to(top): info for path, info in files.items()}, top)


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Returns what is wrong with this member on its own."""
    # zipfile cuts off what follows a NUL, and from Python 3.12 on a member may have a second name
    # in Unicode, which is the one it is unpacked by.
    for name in (info.orig_filename, info.filename):
        if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
            return "has a backslash, a NUL or a drive letter in its name"
        if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
            return "would be written outside the folder, or under another name"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed with a method other than deflate"
    return None


def _refuse_clashes(infos: list[zipfile.ZipInfo]) -> None:
    """Refuses two files with one name, also if the disk ignores case or accents."""
    seen = set()
    for info in infos:
        name = unicodedata.normalize("NFC", info.filename).casefold()
        if name in seen:
            raise ValueError(f"its member {info.filename!r} appears twice")
        seen.add(name)
    for name in seen:
        for parent in list(pathlib.PurePosixPath(name).parents)[:-1]:
            if str(parent) in seen:
                raise ValueError(f"its member {str(parent)!r} is both a file and a folder")


def _refuse_bombs(infos: list[zipfile.ZipInfo], size: int) -> None:
    total = sum(info.file_size for info in infos)
    # zipfile reads no more of a member than this size that the archive declares for it.
    if total > _MOST_BYTES_A_BYTE * size:
        raise ValueError(
            f"its members would unpack to {total:,} bytes, more than {_MOST_BYTES_A_BYTE} times "
            f"the {size:,} bytes of the archive; no checkpoint compresses that well"
        )
    if len(infos) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(infos):,} members, more than the limit of {_MOST_MEMBERS:,}")


def _refuse_other_models(names: set[str]) -> None:
    if {"config.json", "metadata.json", "model.weights.h5"} <= names:
        raise ValueError(
            "it is a saved Keras model, not a checkpoint: open it with "
            "keras.saving.load_model after `import keras_bert_zh`"
        )
    if any(name.endswith("/data.pkl") for name in names):
        raise ValueError(
            "it is a PyTorch weights file, not the archive of a checkpoint: pass the folder that "
            "contains this file and its config.json"
        )
