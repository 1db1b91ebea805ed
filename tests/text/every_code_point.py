"""What google-research/bert makes of every code point, and where, as digests.

    python -m tests.text.every_code_point

writes them anew, in a few minutes, with a Python whose Unicode is version 14.0.0 (3.11).
"""

import functools
import hashlib
import inspect
import json
import unicodedata

import numpy as np
from bert import tokenization

from keras_bert_zh.vocabulary import chinese_vocabulary
from tests.process import DATA
from tests.text import located_reference
from tests.text.reference import reference

FILE = DATA / "every_code_point.json"
PATTERNS = ("a{}b", "中{}国")
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
_BATCH = 1 << 16


def texts(pattern: str, codes=CODES) -> list[bytes]:
    return [pattern.format(chr(code)).encode() for code in codes]


def digest(batches) -> str:
    """Returns the sha256 of batches of `(ids, lengths)`, or of more, each `<int32>[...]`."""
    arrays = [np.concatenate(column) for column in zip(*batches, strict=True)]
    return hashlib.sha256(b"".join(array.astype("<i4").tobytes() for array in arrays)).hexdigest()


def batches_of(whole: list[bytes]) -> list[list[bytes]]:
    return [whole[start : start + _BATCH] for start in range(0, len(whole), _BATCH)]


@functools.cache
def code(*modules) -> str:
    """Returns the sha256 of the code of modules."""
    whole = "".join(map(inspect.getsource, modules))
    return hashlib.sha256(whole.encode()).hexdigest()


def codes() -> dict[str, str]:
    """Returns what the digests were made with."""
    return {"reference": code(tokenization), "places": code(tokenization, located_reference)}


def key(pattern: str, lowercase: bool) -> str:
    return f"{pattern} {'lowercase' if lowercase else 'cased'}"


def main() -> None:
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    digests, places = {}, {}
    for lowercase in (True, False):
        expected = reference(chinese_vocabulary(), lowercase)
        located = located_reference.located_reference(chinese_vocabulary(), lowercase)
        for pattern in PATTERNS:
            batches = batches_of(texts(pattern))
            rows = [expected.ids_of_all(batch) for batch in batches]
            digests[key(pattern, lowercase)] = digest(
                (np.array([i for row in batch for i in row]), np.array([len(row) for row in batch]))
                for batch in rows
            )
            rows = [[located.tokens(text) for text in batch] for batch in batches]
            places[key(pattern, lowercase)] = digest(
                (
                    *np.array([token for row in batch for token in row]).T,
                    np.array([len(row) for row in batch]),
                )
                for batch in rows
            )
    content = {"unicode": "14.0.0", "code": codes(), "digests": digests, "places": places}
    FILE.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
