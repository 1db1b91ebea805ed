"""Reads UTF-8 text files. For another encoding, the error says which one, and what to do."""

import codecs
import os
import pathlib


def read_utf8(file: str | os.PathLike) -> str:
    """Returns the text of a file, without a byte order mark at its beginning.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is not UTF-8; the message names the line.
    """
    file = pathlib.Path(file)
    if file.is_dir():
        raise IsADirectoryError(
            f"{file} is a folder, but a text file is expected: pass the path of a file."
        )
    if not file.exists():
        raise FileNotFoundError(f"There is no file {file}.")
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = error.start - data.rfind(b"\n", 0, error.start)
        raise ValueError(
            f"{file}, line {line}: expected UTF-8, but byte {byte} of the line is not UTF-8. "
            f"{_what_to_do(file, data)}"
        ) from error


def _what_to_do(file: pathlib.Path, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"The file is UTF-16. Convert it: {_command(file, 'UTF-16')}"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return (
            "It is not GBK either. Find out its encoding, or remove the broken bytes: "
            f"iconv -f UTF-8 -t UTF-8 -c {file} > NEW_FILE"
        )
    return f"It can be read as GBK. Convert it: {_command(file, 'GB18030')}"


def _command(file: pathlib.Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {file} > NEW_FILE"
