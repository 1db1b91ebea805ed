"""The files of a corpus and their names."""

import os
import pathlib
from collections.abc import Iterator, Sequence

from keras_bert_zh.files import compressed

FORMATS = (".txt", ".jsonl", ".csv", ".parquet")
ENDINGS = ", ".join(FORMATS) + "; all but the last also with " + ", ".join(compressed.ENDINGS)


def corpus_files(
    given: Sequence[str | os.PathLike], output: pathlib.Path | None = None
) -> dict[str, pathlib.Path]:
    """Returns the files of a corpus by their names in the corpus.

    Args:
        given: paths of files and of folders. In a folder, all files of a known format are used,
            also those in its subfolders, unless they are hidden. The name of a file is its file
            name, or its path inside the folder.
        output: a folder that is left out, wherever it is.

    Raises:
        FileNotFoundError: if a file does not exist, or a folder has no file of a known format.
        ValueError: if the format of a file is not known, its name is not UTF-8, or two files have
            the same name.
    """
    found: dict[str, pathlib.Path] = {}
    for path in map(pathlib.Path, given):
        for name, file in _files_of(path, output):
            if not name.isprintable():
                raise ValueError(
                    f"The name {name!r} is not UTF-8, or has characters that can't be printed: "
                    "rename the file."
                )
            if name in found:
                raise ValueError(
                    f"{found[name]} and {file} both have the name {name}, and rows are identified "
                    "by the name of their file: pass a folder that contains both."
                )
            found[name] = file
    return found


def _files_of(
    path: pathlib.Path, output: pathlib.Path | None
) -> Iterator[tuple[str, pathlib.Path]]:
    if path.is_dir():
        left_out = None if output is None else output.resolve()
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file()
            and _is_known(file)
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and (left_out is None or not file.resolve().is_relative_to(left_out))
        ]
        if not inside:
            raise FileNotFoundError(f"{path} contains no file whose name ends in {ENDINGS}.")
        yield from ((file.relative_to(path).as_posix(), file) for file in inside)
        return
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if not _is_known(path):
        raise ValueError(f"{path}: expected a file whose name ends in {ENDINGS}.")
    yield path.name, path


def format_of(file: pathlib.Path) -> tuple[str, str | None]:
    """Returns the format of a file and its compression, from the end of its name."""
    ending = file.suffix.lower()
    if ending in compressed.ENDINGS:
        return pathlib.Path(file.stem).suffix.lower(), ending
    return ending, None


def _is_known(file: pathlib.Path) -> bool:
    format, compression = format_of(file)
    return format in FORMATS and not (format == ".parquet" and compression)
