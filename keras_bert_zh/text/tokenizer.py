"""BERT's tokeniser inside the TensorFlow graph, with exactly the tokens of google-research/bert.

Except for two rules, the original's `BasicTokenizer` looks at one code point at a time, so a table
(`unicode_tables`) and two fast kernels of tensorflow-text can replace it. The two rules are the
Greek final sigma and the limit of 200 characters for each word. A regular expression finds rows
that may need these rules and rows that are not valid UTF-8; these are computed on a slower path.
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert_zh.text.normalizer import build_normalizer
from keras_bert_zh.text.unicode_tables import load_tables, ranges

# The original makes one [UNK] of a longer word.
MAX_WORD_CHARACTERS = 200

_UNLIMITED = 1 << 30
_PRIVATE_USE = range(0xF8FF, 0xE000, -1)
# What nearly every text separates its words with: ASCII, CJK punctuation and ideographs.
_COMMON_SEPARATORS = (
    *(range(0x20, 0x30), range(0x3A, 0x41), range(0x5B, 0x61)),
    *(range(0x3001, 0x3004), range(0x3008, 0x3012), range(0xFF0C, 0xFF0D)),
    *(range(0x3400, 0x4DC0), range(0x4E00, 0xA000), (0x9, 0xA, 0xD)),
)


class BertTokenizer:
    """Splits strings into the ids of word pieces.

    Args:
        vocabulary: tuple of str. If a token occurs twice, its last index counts, as in the
            original.
        lowercase: bool, whether to lower-case texts and strip accents.

    Attributes:
        normalizer, wordpiece: the two kernels.

    Reference:
        `FullTokenizer` in google-research/bert `tokenization.py`.
    """

    def __init__(self, vocabulary: tuple[str, ...], lowercase: bool):
        tables = load_tables()
        self._lowercase = lowercase
        replacements = tables.replacements(lowercase)
        stand_ins = _stand_ins(vocabulary)
        self._unknown = next(stand_ins)
        substitutes = {code: next(stand_ins) for code in _kernel_difference()[0]}
        pieces = _reachable(vocabulary)
        if substitutes:
            # In the text, a stand-in itself must not be taken for what it stands for.
            replacements |= dict.fromkeys(map(ord, substitutes.values()), self._unknown)
            replacements |= substitutes
            pieces = [piece.translate(substitutes) for piece in pieces]
        replacements |= {code: f" {chr(code)} " for code in _kernel_difference()[1]}
        self.normalizer = build_normalizer(replacements)
        self.wordpiece = tf_text.FastWordpieceTokenizer(
            pieces,
            token_out_type=tf.int32,
            unknown_token="[UNK]",
            max_bytes_per_word=_UNLIMITED,
        )
        growth = max(len(text.replace(" ", "")) for text in ("a", *replacements.values()))
        self._plain = _plain_rows(MAX_WORD_CHARACTERS // growth)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`<string>[B]` -> ragged `<int32>[B, (tokens)]`."""
        special = self.special_rows(texts)
        # No tf.cond: where there is nothing to do again, the slow path sees an empty batch.
        again = self._normalize_any(tf.gather(texts, special[:, 0]))
        normalized = self.normalizer.normalize(texts)
        return self.wordpiece.tokenize(tf.tensor_scatter_nd_update(normalized, special, again))

    def special_rows(self, texts: tf.Tensor) -> tf.Tensor:
        """Returns the rows that may need more than the kernels support, `<int64>[K, 1]`."""
        return tf.where(~tf.strings.regex_full_match(texts, self._plain))

    def clean(self, texts: tf.Tensor) -> tf.Tensor:
        """Returns valid UTF-8 with final sigmas; the length of each character does not change."""
        texts = tf.strings.unicode_transcode(
            texts, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
        )
        if self._lowercase:
            texts = tf.strings.regex_replace(texts, _final_sigma(), r"\1ς\2")
        return texts

    def _normalize_any(self, texts: tf.Tensor) -> tf.Tensor:
        texts = self.normalizer.normalize(self.clean(texts))
        texts = tf.strings.regex_replace(texts, _separator(), r" \0 ")
        too_long = f"[^ ]{{{MAX_WORD_CHARACTERS + 1},}}"
        return tf.strings.regex_replace(texts, too_long, self._unknown)


def _reachable(vocabulary: tuple[str, ...]) -> list[str]:
    """Renames tokens that can never be produced, so that they never match."""
    last = {token: index for index, token in enumerate(vocabulary)}
    return [
        token if token not in ("", "##") and last[token] == index else f"[\n{index}]"
        for index, token in enumerate(vocabulary)
    ]


def _stand_ins(vocabulary: tuple[str, ...]):
    """Yields characters that are in no token."""
    used = set().union(*vocabulary)
    return (chr(code) for code in _PRIVATE_USE if chr(code) not in used)


@functools.cache
def _kernel_difference() -> tuple[list[int], list[int]]:
    """Returns the code points where only one of the kernel and the tables splits words.

    The word piece kernel splits at whitespace, punctuation and ideographs of its own version of
    Unicode. Returns the code points where only the kernel splits, then those where only the tables
    split.
    """
    tables = load_tables()
    # Beyond the first two planes, Unicode has no punctuation.
    reaches_kernel = np.ones(0x20000, bool)
    replaced = (code for code in tables.removed | tables.whitespace if code < len(reaches_kernel))
    reaches_kernel[[*range(0xD800, 0xE000), *replaced]] = False
    codes = np.flatnonzero(reaches_kernel)
    words = np.full((len(codes), 4), ord("a"), np.uint32)
    words[:, 1], words[:, 3] = codes, ord(" ")
    text = words.tobytes().decode("utf-32-le").encode()
    kernel = tf_text.FastWordpieceTokenizer(
        ["[UNK]", "a"], token_out_type=tf.int32, unknown_token="[UNK]"
    )
    _, starts, ends = kernel.tokenize_with_offsets([text])
    # An unsplit word is one token, from its first letter to its last.
    widths = 2 + np.searchsorted([0x80, 0x800, 0x10000], codes, side="right") + 1
    first = np.concatenate([[0], np.cumsum(widths + 1)[:-1]])
    whole = np.isin(first, starts.values.numpy()[(ends.values - starts.values).numpy() > 2])
    separators = np.isin(codes, list(_separators()))
    return codes[~whole & ~separators].tolist(), codes[whole & separators].tolist()


def _separators() -> frozenset[int]:
    tables = load_tables()
    return tables.whitespace | tables.punctuation | tables.cjk


@functools.cache
def _separator() -> str:
    return f"[{_character_class(_separators() - {0x20})}]"


@functools.cache
def _final_sigma() -> str:
    """Matches a capital sigma that `str.lower` turns into a final one, between two groups."""
    tables = load_tables()
    cased = _character_class(tables.cased)
    # What will be removed from the text does not come between a letter and the sigma.
    skipped = _character_class(tables.ignorable | (tables.removed - tables.cased))
    return rf"([{cased}][{skipped}]*)Σ([{skipped}]*(?:[^{cased}{skipped}]|\z))"


def _plain_rows(longest: int) -> str:
    """Matches valid UTF-8 without capital sigma, with at most `longest` characters between common
    separators."""
    separators = _character_class(code for codes in _COMMON_SEPARATORS for code in codes)
    # RE2 would take an encoded surrogate for a character.
    run = rf"[^{separators}Σ\x{{D800}}-\x{{DFFF}}]{{0,{longest}}}"
    return f"(?:{run}[{separators}])*{run}"


def _character_class(codes) -> str:
    """Returns code points as a character class of RE2, without the brackets."""
    return "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges(sorted(codes)))
