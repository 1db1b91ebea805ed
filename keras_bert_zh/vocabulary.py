"""The vocabulary, which maps tokens to ids."""

import base64
import functools
import json
import lzma
import os
import pathlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_REQUIRED = SPECIAL_TOKENS[:4]

# What stands for the vocabulary of this package in the config of a layer.
_CHINESE = "google_chinese"


def read_vocabulary(path: str | os.PathLike) -> tuple[str, ...]:
    """Reads a `vocab.txt`: one token per line, and the id of a token is its line number.

    Blank lines keep their ids, also at the end: `without_blank_end` removes those at the end.

    Raises:
        ValueError: if the file is not UTF-8 text, or is not a usable vocabulary.
        OSError: if it can't be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return check_vocabulary(parse_vocabulary(content))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def read_checkpoint_vocabulary(
    path: pathlib.Path, rows: int, *, padded: bool = False
) -> tuple[str, ...]:
    """Reads the `vocab.txt` of a checkpoint, in which each token is a row of the word embeddings.

    Args:
        path: the file.
        rows: rows of the word embeddings.
        padded: whether there may be rows without a token, as in `rows_fit`.

    Raises:
        ValueError: if the file does not exist, is not UTF-8 text, or does not fit the embeddings,
            or if a special token is missing.
    """
    return check_rows(path, read_tokens(path), rows, padded=padded)


def read_tokens(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the tokens of a checkpoint's file without checking them."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"{path} is not a file, but the vocabulary should be there.") from error
    try:
        return parse_vocabulary(content)
    except ValueError as error:
        raise ValueError(f"{path} is not UTF-8 text. {error}") from error


def parse_vocabulary(content: bytes) -> tuple[str, ...]:
    """Splits the bytes of a `vocab.txt` into tokens, and skips a byte order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"A vocabulary must be UTF-8 text, one token per line: {error}."
        ) from error
    # Not splitlines: two tokens of the Chinese vocabulary hold U+2028, a line separator.
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n")) if text else ()


def without_blank_end(vocabulary: Sequence[str], rows: int) -> tuple[str, ...]:
    """Removes the blank lines at the end that have no row in the embeddings."""
    end = len(vocabulary)
    while end > rows and not vocabulary[end - 1]:
        end -= 1
    return tuple(vocabulary[:end])


def check_rows(
    path: pathlib.Path, vocabulary: tuple[str, ...], rows: int, *, padded: bool = False
) -> tuple[str, ...]:
    """Returns the tokens of the file if they fit the embeddings and include the special tokens.

    Blank lines at the end of the file are removed if they have no row.
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

    Any other difference means that a file is incomplete or belongs to another model.
    """
    without_token = rows - len(vocabulary)
    return without_token == 0 or (0 < without_token < 128 and rows % 64 == 0)


@functools.cache
def chinese_vocabulary() -> tuple[str, ...]:
    """Returns the 21,128 tokens of Google's Chinese BERT, which ship with this package."""
    return parse_vocabulary(
        resources.files(__package__).joinpath("text", "chinese_vocab.txt").read_bytes()
    )


def encode_vocabulary(vocabulary: tuple[str, ...]) -> str:
    """Encodes the tokens as a short text; `chinese_vocabulary` becomes just its name."""
    if vocabulary == chinese_vocabulary():
        return _CHINESE
    content = json.dumps(vocabulary, ensure_ascii=False).encode()
    return base64.b64encode(lzma.compress(content)).decode()


def decode_vocabulary(encoded: Any) -> list[str]:
    """Returns the tokens from a text that `encode_vocabulary` returned.

    Raises:
        ValueError: if it is not such a text.
    """
    if encoded == _CHINESE:
        return list(chinese_vocabulary())
    try:
        return json.loads(lzma.decompress(base64.b64decode(encoded, validate=True)))
    except (TypeError, ValueError, lzma.LZMAError) as error:
        raise ValueError(
            f"The vocabulary in this configuration can't be decoded, got {str(encoded)[:60]!r}. If "
            "the model was saved by a newer version of keras_bert_zh, update keras_bert_zh."
        ) from error


def check_vocabulary(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Returns the tokens as a tuple.

    Raises:
        ValueError: if it is not a list or tuple of `str`, a special token is missing, or there are
            only special tokens.
    """
    if not isinstance(vocabulary, (list, tuple)) or not any(vocabulary):
        raise ValueError(
            f"vocabulary must be a list of tokens or the path of a vocab.txt, got {vocabulary!r}."
        )
    for index, token in enumerate(vocabulary):
        if not isinstance(token, str) or not _is_utf8(token):
            raise ValueError(
                f"vocabulary must contain only str that UTF-8 can encode, got {token!r} at "
                f"index {index}."
            )
    missing = [token for token in _REQUIRED if token not in vocabulary]
    if missing:
        raise ValueError(
            f"vocabulary must contain the special tokens {', '.join(_REQUIRED)}; "
            f"{', '.join(missing)} missing from {len(vocabulary)} tokens."
        )
    if set(vocabulary) <= {*SPECIAL_TOKENS, ""}:
        raise ValueError(
            f"vocabulary must contain more than the special tokens, got {vocabulary!r}."
        )
    return tuple(map(str, vocabulary))


def is_lowercase(vocabulary: Sequence[str]) -> bool:
    """Tells whether no token has a capital letter, except bracketed ones such as `[CLS]`, `<S>`."""
    return not any(token.lower() != token and token[0] not in "[<" for token in vocabulary)


def later_pieces(vocabulary: Sequence[str]) -> list[bool]:
    """Tells for each token whether it continues a word, as `##ing` does; `##` does not."""
    return [len(token) > 2 and token.startswith("##") for token in vocabulary]


def _is_utf8(token: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in token)


def special_ids(vocabulary: tuple[str, ...]) -> dict[str, int]:
    """Returns the ids of the special tokens in the vocabulary."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    return {token: ids[token] for token in SPECIAL_TOKENS if token in ids}
