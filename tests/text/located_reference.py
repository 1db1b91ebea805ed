"""google-research/bert's tokeniser with the place of each character carried along.

Every step of `BasicTokenizer` and `WordpieceTokenizer` is here once more, on pairs of a character
and its index in the text; what they ask of a character, they ask the original.
"""

import functools
import unicodedata

from bert import tokenization

from tests.text.reference import reference

Place = tuple[str, int]


class LocatedReference:
    """Gives `(id, start, end)` for each token."""

    def __init__(self, vocabulary, lowercase: bool):
        self._original = reference(vocabulary, lowercase)
        self._lowercase = lowercase

    def tokens(self, text: bytes, unit: str = "characters") -> list[tuple[int, int, int]]:
        decoded = text.decode("utf-8", "ignore")
        found = [token for word in self._words(decoded) for token in self._pieces(word)]
        if unit == "characters":
            return found
        starts, ends = byte_places(text)
        return [(number, starts[start], ends[end - 1]) for number, start, end in found]

    def _words(self, text: str):
        for word in _split_blanks(self._cleaned(text)):
            yield from _split_punctuation(_without_accents(word) if self._lowercase else word)

    def _cleaned(self, text: str):
        is_cjk = tokenization.BasicTokenizer()._is_chinese_char
        for index, char in enumerate(text):
            if ord(char) in (0, 0xFFFD) or tokenization._is_control(char):
                continue
            if is_cjk(ord(char)):
                yield from ((" ", index), (char, index), (" ", index))
            else:
                yield (" " if tokenization._is_whitespace(char) else char, index)

    def _pieces(self, word: list[Place]):
        rest = word
        for piece in self._original.pieces("".join(char for char, _ in word)):
            whole = piece == "[UNK]"
            size = len(rest) if whole else len(piece) - 2 * (rest is not word)
            places = [index for _, index in rest[:size]]
            yield self._original.id_of(piece), min(places), max(places) + 1
            rest = rest[size:]


def byte_places(text: bytes) -> tuple[list[int], list[int]]:
    """Returns where each character begins and ends, for those that decoding leaves."""
    starts, ends, place = [], [], 0
    while place < len(text):
        for size in (1, 2, 3, 4):
            try:
                text[place : place + size].decode()
            except UnicodeDecodeError:
                continue
            starts.append(place)
            ends.append(place + size)
            place += size - 1
            break
        place += 1
    return starts, ends


def _split_blanks(places):
    word: list[Place] = []
    for char, index in places:
        if not char.isspace():
            word.append((char, index))
        elif word:
            yield word
            word = []
    if word:
        yield word


def _without_accents(word: list[Place]) -> list[Place]:
    lowered = "".join(char for char, _ in word).lower()  # A final sigma needs its word.
    indices = [index for char, index in word for _ in char.lower()]
    assert len(indices) == len(lowered)
    found: list[Place] = []
    for char, index in zip(lowered, indices, strict=True):
        found += [(part, index) for part in unicodedata.normalize("NFD", char)]
    assert "".join(char for char, _ in _ordered(found)) == unicodedata.normalize("NFD", lowered)
    return [place for place in _ordered(found) if unicodedata.category(place[0]) != "Mn"]


def _ordered(places: list[Place]) -> list[Place]:
    """Puts combining characters into the canonical order."""
    found: list[Place] = []
    marks: list[Place] = []
    for place in places:
        if unicodedata.combining(place[0]):
            marks.append(place)
        else:
            found += sorted(marks, key=lambda mark: unicodedata.combining(mark[0]))
            found.append(place)
            marks = []
    return found + sorted(marks, key=lambda mark: unicodedata.combining(mark[0]))


def _split_punctuation(word: list[Place]):
    part: list[Place] = []
    for place in word:
        if tokenization._is_punctuation(place[0]) or place[0].isspace():
            if part:
                yield part
            if not place[0].isspace():
                yield [place]
            part = []
        else:
            part.append(place)
    if part:
        yield part


@functools.cache
def located_reference(vocabulary, lowercase: bool) -> LocatedReference:
    return LocatedReference(vocabulary, lowercase)
