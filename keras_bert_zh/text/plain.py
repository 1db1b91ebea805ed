"""BERT's tokeniser in plain Python, with exactly the tokens of `BertTokenizer`.

It is for processes that read one text at a time, without TensorFlow, to start fast and use little
memory. It uses the same tables of code points (`unicode_tables`). The two rules that are not in
them, the Greek final sigma and the limit of 200 characters for each word, are repeated here.
"""

import functools
import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple

from keras_bert_zh.text.unicode_tables import load_tables
from keras_bert_zh.vocabulary import later_pieces, special_ids

# The original makes one [UNK] of a longer word.
_MAX_WORD_CHARACTERS = 200

# How many code points, and how many words, are remembered: some megabytes each.
_CODE_POINTS = 1 << 17
_WORDS = 1 << 14

_SURROGATES = range(0xD800, 0xE000)


class Tokens(NamedTuple):
    """Tokens with their places in the text: token `i` is `text[starts[i]:ends[i]]`."""

    ids: list[int]
    starts: list[int]
    ends: list[int]


class PlainTokenizer:
    """Splits a text into the ids of word pieces.

    The ids and offsets equal those of `BertPreprocess.tokenize`. Lone surrogates are also dropped
    from the text, but here they count in offsets.

    Args:
        vocabulary: tuple of str. If a token occurs twice, its last index counts, as in the
            original.
        lowercase: bool, whether to lower-case texts and strip accents.
        special_tokens_in_text: bool, whether `[MASK]` and the others of `special_ids` are special
            tokens if they are written in the text.

    Example:

    >>> from keras_bert_zh.text.plain import PlainTokenizer
    >>> from keras_bert_zh.vocabulary import chinese_vocabulary
    >>> tokenizer = PlainTokenizer(chinese_vocabulary(), lowercase=True)
    >>> tokenizer.ids("很好 unaffable")
    [2523, 1962, 163, 8374, 9049, 9609]
    >>> text = "Café\\u200b 很好"
    >>> _, starts, ends = tokenizer.tokens(text)
    >>> [text[start:end] for start, end in zip(starts, ends)]
    ['Café', '很', '好']
    """

    def __init__(
        self, vocabulary: tuple[str, ...], lowercase: bool, special_tokens_in_text: bool = False
    ):
        self._words: dict[str, int] = {}
        self._later: dict[str, int] = {}
        for number, (token, later) in enumerate(
            zip(vocabulary, later_pieces(vocabulary), strict=True)
        ):
            if later:
                self._later[token[2:]] = number
            elif len(token) <= _MAX_WORD_CHARACTERS:
                self._words[token] = number
        self._longest = max(map(len, vocabulary))
        self._unknown = self._words["[UNK]"]
        self._special = special_ids(vocabulary) if special_tokens_in_text else {}
        self._split_special = re.compile(f"({'|'.join(map(re.escape, self._special))})").split
        self._lowercase = lowercase
        self._table = _replacements(lowercase)
        # A method that remembers would keep every tokenizer alive.
        self._pieces = functools.lru_cache(_WORDS)(self._split_word)

    def ids(self, text: str) -> list[int]:
        """Returns the ids of the tokens of the text."""
        if not self._special:
            return self._ids(text)
        found = []
        for part, special in self._parts(text):
            found += self._ids(part) if special is None else [special]
        return found

    def tokens(self, text: str) -> Tokens:
        """Returns the tokens of the text, with their offsets in characters."""
        if not self._special:
            return self._tokens(text, 0)
        found = Tokens([], [], [])
        begin = 0
        for part, special in self._parts(text):
            end = begin + len(part)
            if special is None:
                tokens = self._tokens(part, begin)
            else:
                tokens = Tokens([special], [begin], [end])
            for column, more in zip(found, tokens, strict=True):
                column.extend(more)
            begin = end
        return found

    def _ids(self, text: str) -> list[int]:
        words = self._clean(text).translate(self._table).split()
        found = list(map(self._words.get, words))
        if None not in found:
            return found  # type: ignore[return-value]
        return [number for word in words for number, _ in self._pieces(word)]

    def _tokens(self, text: str, begin: int) -> Tokens:
        """Returns the tokens of a part of a text that begins at that offset."""
        replaced = [self._table[ord(char)] for char in self._clean(text)]
        sources = [place for place, part in enumerate(replaced, begin) for _ in part]
        ids, starts, ends = tokens = Tokens([], [], [])
        for match in re.finditer("[^ ]+", "".join(replaced)):
            place = match.start()
            for number, size in self._pieces(match[0]):
                ids.append(number)
                starts.append(sources[place])
                place += size
                ends.append(sources[place - 1] + 1)
        return tokens

    def _clean(self, text: str) -> str:
        if self._lowercase and "Σ" in text:
            return with_final_sigma(text, load_tables().cased, _skipped())
        return text

    def _parts(self, text: str) -> Iterator[tuple[str, int | None]]:
        """Yields special tokens with their ids, and the text between them with `None`."""
        return ((part, self._special.get(part)) for part in self._split_special(text))

    def _split_word(self, word: str) -> tuple[tuple[int, int], ...]:
        """Returns the ids and the lengths of the pieces, longest match first."""
        unknown = ((self._unknown, len(word)),)
        if len(word) > _MAX_WORD_CHARACTERS:
            return unknown
        found: list[tuple[int, int]] = []
        start = 0
        pieces = self._words
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                if word[start:end] in pieces:
                    break
            else:
                return unknown
            found.append((pieces[word[start:end]], end - start))
            start = end
            pieces = self._later
        return tuple(found)


class CodePoints(dict[int, str]):
    """The replacement of each code point, for `str.translate`; computed at its first use.

    Args:
        known: the replacements that are already known.
        find: a function that returns the replacement of a code point.
    """

    def __init__(self, known: Mapping[int, str], find: Callable[[int], str]):
        super().__init__(known)
        self._find = find

    def __missing__(self, code: int) -> str:
        text = self._find(code)
        if len(self) < _CODE_POINTS:
            self[code] = text
        return text


def with_final_sigma(text: str, cased: Container[int], skipped: Container[int]) -> str:
    """Returns the text with a final sigma for each capital sigma that ends a word.

    Args:
        text: str.
        cased: the letters after which a sigma may be final, and before which it is not.
        skipped: the characters that may be between these letters and the sigma.
    """
    chars = list(text)
    for place, char in enumerate(text):
        if char == "Σ":
            before = _first_beyond(text, range(place - 1, -1, -1), skipped)
            after = _first_beyond(text, range(place + 1, len(text)), skipped)
            if before in cased and after not in cased:
                chars[place] = "ς"
    return "".join(chars)


def _first_beyond(text: str, places: range, skipped: Container[int]) -> int | None:
    codes = (ord(text[place]) for place in places)
    return next((code for code in codes if code not in skipped), None)


@functools.cache
def _skipped() -> frozenset[int]:
    tables = load_tables()
    # What will be removed from the text does not come between a letter and the sigma.
    return (tables.ignorable | tables.removed | {*_SURROGATES}) - tables.cased


@functools.cache
def _replacements(lowercase: bool) -> CodePoints:
    """Returns the table of the graph's normaliser, with spaces around single-character words."""
    tables = load_tables()

    def spaced(text: str) -> str:
        apart = (char if ord(char) not in separators else f" {char} " for char in text)
        return "".join(apart)

    separators = tables.punctuation | tables.cjk
    replaced = {code: spaced(text) for code, text in tables.replacements(lowercase).items()}
    replaced |= dict.fromkeys(_SURROGATES, "")
    return CodePoints(replaced, lambda code: spaced(chr(code)))
