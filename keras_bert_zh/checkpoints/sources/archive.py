"""Unpacks the zip archive of a checkpoint into the cache, safely and only once."""

import pathlib
import zipfile
from collections.abc import Iterator

from keras_bert_zh.checkpoints.sources import cache, published
from keras_bert_zh.checkpoints.sources.archive_members import members
from keras_bert_zh.files.sha256 import sha256_of

_CHUNK = 1 << 20


def is_archive(path: pathlib.Path) -> bool:
    """Tells whether the path is a file that ends like a zip archive, whatever its name is."""
    return path.is_file() and zipfile.is_zipfile(path)


def unpack(archive: pathlib.Path, *, from_google: bool = False) -> pathlib.Path:
    """Returns the folder in the cache with the content of the archive.

    The folder's name is the archive's sha256, and it is created only once. If the archive has
    exactly one top folder, the result is the content of that folder. Google's own archive must
    have the files that Google published: it is recognised by the name of its top folder.

    Args:
        archive: the zip file.
        from_google: whether it came from Google's URL, and so must have Google's files.

    Raises:
        ValueError: if the archive is damaged, not safe to unpack, or should be Google's but is
            not. Then nothing is kept.
    """
    target = cache.folder() / "archives" / sha256_of(archive)

    def make(folder: pathlib.Path) -> None:
        try:
            opened = zipfile.ZipFile(archive)
        except Exception as error:  # From BadZipFile to struct.error.
            raise ValueError(f"{archive} is damaged: {error}") from error
        with opened:
            try:
                content = members(opened, archive.stat().st_size)
            except ValueError as error:
                raise ValueError(f"{archive} can't be unpacked: {error}.") from error
            for path, info in content.files.items():
                _write(folder / path, _chunks(archive, opened, info))
        if from_google or content.top == published.FOLDER:
            published.check(folder, archive)
        elif (folder / published.FOLDER).is_dir():
            published.check(folder / published.FOLDER, archive)

    return cache.keep(target, make)


def _write(path: pathlib.Path, chunks: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)


def _chunks(
    archive: pathlib.Path, opened: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Iterator[bytes]:
    try:
        with opened.open(info) as member:
            while chunk := member.read(_CHUNK):
                yield chunk
    except Exception as error:  # BadZipFile for a wrong checksum, zlib.error, EOFError and others.
        raise ValueError(f"{archive} is damaged: {info.filename}: {error}") from error
