"""Reads a checkpoint's `vocab.txt` and checks it against the embeddings."""

import pathlib

from keras_bert_zh.vocabulary import check_vocabulary, parse_vocabulary, without_blank_end


def read_vocabulary(path: pathlib.Path, rows: int, *, padded: bool = False) -> tuple[str, ...]:
    """Returns the tokens of the file.

    Args:
        path: the file.
        rows: rows of the word embeddings.
        padded: whether there may be rows without a token, as `rows_fit` says.

    Raises:
        ValueError: if there is no such file, it is not UTF-8 text, it does not fit the embeddings,
            or a special token is missing.
    """
    return check_tokens(path, read_lines(path), rows, padded=padded)


def read_lines(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the tokens of the file, whatever they are."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"{path} is no file, but the vocabulary is expected there.") from error
    try:
        return parse_vocabulary(content)
    except ValueError as error:
        raise ValueError(f"{path} is not UTF-8 text, one token a line: {error}") from error


def check_tokens(
    path: pathlib.Path, vocabulary: tuple[str, ...], rows: int, *, padded: bool = False
) -> tuple[str, ...]:
    """Returns the tokens if they fit the embeddings and hold the special tokens.

    Blank lines at the end of the file are dropped where they have no row.
    """
    vocabulary = without_blank_end(vocabulary, rows)
    if not (rows_fit(vocabulary, rows) if padded else len(vocabulary) == rows):
        raise ValueError(
            f"{path} has {len(vocabulary)} lines, expected one for each of the {rows} rows of the "
            "word embeddings."
        )
    try:
        return check_vocabulary(vocabulary)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def rows_fit(vocabulary: tuple[str, ...], rows: int) -> bool:
    """Tells whether each token has a row; rows may be padded to a multiple of 64.

    Any other difference means that a file was cut off or belongs to another model.
    """
    without_token = rows - len(vocabulary)
    return without_token == 0 or (0 < without_token < 128 and rows % 64 == 0)
