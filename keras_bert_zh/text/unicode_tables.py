"""The Unicode data that google-research/bert's tokeniser uses.

The original calls Python's `unicodedata` at run time, so its tokens depend on the version of
Python. Here the data of Unicode 14.0 (Python 3.11) is generated once and included as
`unicode-14.0.tsv`. Python 3.12 and 3.13 differ only at code points that later versions of Unicode
assigned, which `ASSIGNED_LATER` lists. To regenerate the file on any of these versions:

    python -m keras_bert_zh.text.unicode_tables > keras_bert_zh/text/unicode-14.0.tsv

Reference: `BasicTokenizer` in google-research/bert `tokenization.py`.
"""

import dataclasses
import functools
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from importlib import resources

UNICODE_VERSION = "14.0"

# Code points assigned by Unicode 15.0 and 15.1, as (first, last).
ASSIGNED_LATER = (
    *((0x0CF3, 0x0CF3), (0x0ECE, 0x0ECE), (0x2FFC, 0x2FFF), (0x31EF, 0x31EF)),
    *((0x10EFD, 0x10EFF), (0x1123F, 0x11241), (0x11B00, 0x11B09), (0x11F00, 0x11F10)),
    *((0x11F12, 0x11F3A), (0x11F3E, 0x11F59), (0x1342F, 0x1342F), (0x13439, 0x13455)),
    *((0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A)),
    *((0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1F6DC, 0x1F6DC)),
    *((0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1FA75, 0x1FA77)),
    *((0x1FA87, 0x1FA88), (0x1FAAD, 0x1FAAF), (0x1FABB, 0x1FABD), (0x1FABF, 0x1FABF)),
    *((0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB), (0x1FAE8, 0x1FAE8), (0x1FAF7, 0x1FAF8)),
    *((0x2B739, 0x2B739), (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF)),
)

# The blocks of ideographs that the original sets apart, one token each.
CJK = (
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF)),
    *((0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F)),
)

# Their decomposition is arithmetic, the same in every version of Unicode.
_HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)


@dataclasses.dataclass(frozen=True)
class UnicodeTables:
    """Classes of code points, and their lower case without accents.

    Attributes:
        removed: control and format characters, U+0000 and U+FFFD, which are dropped.
        whitespace: the characters that separate words.
        punctuation: punctuation characters, each a separate word.
        cjk: ideographs, each a separate word.
        cased, ignorable: the classes that decide whether a capital sigma ends a word.
        lowered: code point -> lower case without accents, if that is different.
    """

    removed: frozenset[int]
    whitespace: frozenset[int]
    punctuation: frozenset[int]
    cjk: frozenset[int]
    cased: frozenset[int]
    ignorable: frozenset[int]
    lowered: dict[int, str]

    def replacements(self, lowercase: bool) -> dict[int, str]:
        """Returns the replacement of every code point that changes."""
        result = self.lowered.copy() if lowercase else {}
        for code_point, text in result.items():
            # An ideograph stays a word of its own, also where its lower case is none.
            if code_point in self.cjk and not all(ord(char) in self.cjk for char in text):
                result[code_point] = f" {text} "
        result |= dict.fromkeys(self.whitespace - {0x20}, " ")
        return result | dict.fromkeys(self.removed, "")


@functools.cache
def load_tables() -> UnicodeTables:
    """Reads the tables that this package includes."""
    name = f"unicode-{UNICODE_VERSION}.tsv"
    classes: dict[str, set[int]] = {}
    lowered = {code: unicodedata.normalize("NFD", chr(code)) for code in _HANGUL_SYLLABLES}
    for line in resources.files(__package__).joinpath(name).read_text("ascii").splitlines():
        kind, first, last, *replacement = line.split("\t")
        codes = range(int(first, 16), int(last, 16) + 1)
        if kind == "lowered":
            text = "".join(chr(int(code, 16)) for code in replacement[0].split())
            lowered |= dict.fromkeys(codes, text)
        else:
            classes.setdefault(kind, set()).update(codes)
    cjk = frozenset(code for first, last in CJK for code in range(first, last + 1))
    frozen = {kind: frozenset(codes) for kind, codes in classes.items()}
    return UnicodeTables(cjk=cjk, lowered=lowered, **frozen)


def generate() -> Iterator[str]:
    """Yields the lines of the file, generated from the `unicodedata` of this Python."""
    for kind, belongs in _CLASSES.items():
        for first, last in ranges(code for code in _assigned() if belongs(chr(code))):
            yield f"{kind}\t{first:04X}\t{last:04X}"
    lowered = {code: _lower(chr(code)) for code in _assigned() if code not in _HANGUL_SYLLABLES}
    for first, last in ranges(code for code, text in lowered.items() if not text):
        yield f"lowered\t{first:04X}\t{last:04X}\t"
    for code, text in lowered.items():
        if text and text != chr(code):
            yield f"lowered\t{code:04X}\t{code:04X}\t" + " ".join(f"{ord(c):04X}" for c in text)


def ranges(codes: Iterable[int]) -> list[tuple[int, int]]:
    """Joins ascending code points to (first, last) pairs."""
    result: list[tuple[int, int]] = []
    for code in codes:
        if result and result[-1][1] == code - 1:
            result[-1] = (result[-1][0], code)
        else:
            result.append((code, code))
    return result


def _assigned() -> Iterator[int]:
    later = {code for first, last in ASSIGNED_LATER for code in range(first, last + 1)}
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs") and code not in later:
            yield code


def _is_removed(char: str) -> bool:
    return char in "\0\ufffd" or (
        unicodedata.category(char) in ("Cc", "Cf") and char not in "\t\n\r"
    )


def _is_whitespace(char: str) -> bool:
    return char.isspace() and not _is_removed(char)


def _is_punctuation(char: str) -> bool:
    # All of ASCII that is neither letter, digit nor blank counts, symbols such as $ too.
    ascii_symbol = "!" <= char <= "~" and not char.isalnum()
    return ascii_symbol or unicodedata.category(char).startswith("P")


def _is_cased(char: str) -> bool:
    return (char + "Σ").lower().endswith("ς")


def _is_ignorable(char: str) -> bool:
    return not _is_cased(char) and ("A" + char + "Σ").lower().endswith("ς")


def _lower(char: str) -> str:
    decomposed = unicodedata.normalize("NFD", char.lower())
    return "".join(part for part in decomposed if unicodedata.category(part) != "Mn")


_CLASSES: dict[str, Callable[[str], bool]] = {
    "removed": _is_removed,
    "whitespace": _is_whitespace,
    "punctuation": _is_punctuation,
    "cased": _is_cased,
    "ignorable": _is_ignorable,
}

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in generate())
