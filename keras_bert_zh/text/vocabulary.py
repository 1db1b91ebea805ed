"""The vocabulary: which token has which id."""

import functools
import os
from collections.abc import Iterable
from importlib import resources

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_REQUIRED = SPECIAL_TOKENS[:4]


def read_vocabulary(path: str | os.PathLike) -> tuple[str, ...]:
    """Reads a `vocab.txt`: one token a line, the id of a token is the number of its line.

    Raises:
        ValueError: if the file is not UTF-8 text, or is no usable vocabulary.
        OSError: if it can't be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return check_vocabulary(parse_vocabulary(content))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def parse_vocabulary(content: bytes) -> tuple[str, ...]:
    """Splits the bytes of a `vocab.txt` into its tokens."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"A vocabulary must be UTF-8 text, one token a line: {error}.") from error
    # Not splitlines: two tokens of the Chinese vocabulary hold U+2028, a line separator.
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n"))


@functools.cache
def chinese_vocabulary() -> tuple[str, ...]:
    """Returns the 21,128 tokens of Google's Chinese BERT, which ship with this package."""
    return parse_vocabulary(resources.files(__package__).joinpath("chinese_vocab.txt").read_bytes())


def check_vocabulary(vocabulary: Iterable[str]) -> tuple[str, ...]:
    """Returns the tokens as a tuple.

    Raises:
        ValueError: if there are none, one is not a `str`, or a special token is missing.
    """
    tokens = () if isinstance(vocabulary, (str, bytes)) else tuple(vocabulary)
    if not any(tokens):
        raise ValueError(
            f"vocabulary must be a list of tokens or the path of a vocab.txt, got {vocabulary!r}."
        )
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            raise ValueError(f"vocabulary must hold str only, got {token!r} at index {index}.")
    missing = [token for token in _REQUIRED if token not in tokens]
    if missing:
        raise ValueError(
            f"vocabulary must hold the special tokens {', '.join(_REQUIRED)}; "
            f"{', '.join(missing)} missing from {len(tokens)} tokens."
        )
    return tokens


def special_ids(vocabulary: tuple[str, ...]) -> dict[str, int]:
    """Returns the ids of the special tokens that the vocabulary holds."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    return {token: ids[token] for token in SPECIAL_TOKENS if token in ids}
