"""Adds a prompt to one text as `prompt.with_prompt` does, without TensorFlow."""

import functools

from keras_bert_zh.text.plain import CodePoints, with_final_sigma
from keras_bert_zh.text.unicode_tables import load_tables

# Characters of Unicode 14.0 with a case, or which a sigma's case looks beyond, as (first, last):
# TensorFlow lower-cases as Unicode 13.0 says, where they are not.
_LATER = (
    *((0x0888, 0x0888), (0x0890, 0x0891), (0x0898, 0x089F), (0x08C9, 0x08D2), (0x0C3C, 0x0C3C)),
    *((0x180F, 0x180F), (0x1AC1, 0x1ACE), (0x1DFA, 0x1DFA), (0x2C2F, 0x2C2F), (0x2C5F, 0x2C5F)),
    *((0xA7C0, 0xA7C1), (0xA7D0, 0xA7D9), (0xA7F2, 0xA7F4), (0xFBC2, 0xFBC2)),
    *((0x10570, 0x105BC), (0x10780, 0x107BA), (0x10F82, 0x10F85), (0x11070, 0x11074)),
    *((0x110C2, 0x110C2), (0x1AFF0, 0x1AFFE), (0x1CF00, 0x1CF46), (0x1DF00, 0x1DF1E)),
    (0x1E2AE, 0x1E2AE),
)
# Unicode 14.0 made it a letter's part.
_NO_LONGER_IGNORABLE = 0x1734


def prompted(text: str, prompt: str, *, lowercase: bool) -> str:
    """Returns the text with the prompt before it, both lower-cased if asked.

    Args:
        text, prompt: str.
        lowercase: bool. Accents are kept, and U+0000 becomes U+0001.

    Example:

    >>> from keras_bert_zh.text.plain_prompt import prompted
    >>> prompted("Café", "Query: ", lowercase=True)
    'query: café'
    """
    whole = prompt + text
    if not lowercase:
        return whole
    if "Σ" in whole:
        whole = with_final_sigma(whole, *_around_sigma())
    return whole.translate(_lowered())


@functools.cache
def _later() -> frozenset[int]:
    return frozenset(code for first, last in _LATER for code in range(first, last + 1))


@functools.cache
def _around_sigma() -> tuple[frozenset[int], frozenset[int]]:
    tables = load_tables()
    return tables.cased - _later(), tables.ignorable - _later() | {_NO_LONGER_IGNORABLE}


@functools.cache
def _lowered() -> CodePoints:
    known = {code: chr(code) for code in _later()} | {0: "\1"}
    return CodePoints(known, lambda code: chr(code).lower())
