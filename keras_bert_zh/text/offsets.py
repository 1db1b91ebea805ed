"""Finds the offsets of tokens in their texts, inside the graph.

The normaliser and the word piece kernel return the bytes that they read, so the place of a token in
the normalised text gives its place in the original text. The kernel has no limit of 200 characters
for each word: its tokens for a longer word are replaced by one [UNK] here.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_bert_zh.text.tokenizer import MAX_WORD_CHARACTERS, BertTokenizer
from keras_bert_zh.vocabulary import later_pieces


class Located(NamedTuple):
    """Tokens with their places in the text, each ragged `<int32>[B, (tokens)]`."""

    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class OffsetTokenizer:
    """Splits strings into the ids of word pieces, with the offsets of each piece in the text.

    A token covers the text from its first to its last character. Dropped characters, such as
    accents and control characters, belong to a token only if they are between two of its
    characters. Characters are those of `text.decode("utf-8", "ignore")`, and bytes those of the
    original text.

    Args:
        tokenizer: BertTokenizer, which gives the same ids.
        vocabulary: tuple of str, the vocabulary of `tokenizer`.
    """

    def __init__(self, tokenizer: BertTokenizer, vocabulary: tuple[str, ...]):
        self._tokenizer = tokenizer
        self._unknown_id = len(vocabulary) - 1 - vocabulary[::-1].index("[UNK]")
        goes_on = later_pieces(vocabulary)
        sizes = [len(token) - 2 * more for token, more in zip(vocabulary, goes_on, strict=True)]
        self._goes_on = tf.constant(goes_on)
        self._sizes = tf.constant(sizes, tf.int32)

    def tokenize(self, texts: tf.Tensor, unit: str) -> Located:
        """`<string>[B]` -> ids, starts and ends, in characters or in bytes."""
        special = self._tokenizer.special_rows(texts)
        clean = self._tokenizer.clean(tf.gather(texts, special[:, 0]))
        clean = tf.tensor_scatter_nd_update(texts, special, clean)
        # As one text, in which no word goes on from row to row, each byte has one number.
        whole = tf.strings.reduce_join(tf.concat([clean, [""]], 0), separator="\n")
        normalized, sources = self._tokenizer.normalizer.normalize_with_offsets([whole])
        columns = self._tokenizer.wordpiece.tokenize_with_offsets(normalized)
        tokens = tuple(column.values for column in columns)
        # No row that is not special has a long word.
        ids, starts, ends = tf.cond(
            tf.size(special) > 0, lambda: self._without_long_words(*tokens), lambda: tokens
        )
        firsts, lasts = tf.gather(sources.values, starts), tf.gather(sources.values, ends - 1)
        sizes = tf.strings.length(clean)
        begins = tf.cumsum(sizes + 1, exclusive=True)
        splits = tf.concat([tf.searchsorted(firsts, tf.cast(begins, tf.int64)), [tf.size(ids)]], 0)
        ids = tf.RaggedTensor.from_row_splits(ids, tf.cast(splits, tf.int64), validate=False)
        # The bytes 0x80 to 0xBF go on with a character.
        is_start = tf.io.decode_raw(whole, tf.int8) >= -64

        def characters() -> tuple[tf.Tensor, tf.Tensor]:
            numbers = _numbered(is_start, begins, tf.strings.length(clean, "UTF8_CHAR"))
            return tf.gather(numbers, firsts) - 1, tf.gather(numbers, lasts)

        def of_valid_bytes() -> tuple[tf.Tensor, tf.Tensor]:
            begin = tf.gather(begins, rows_of(ids))
            ends = _next(is_start, tf.cast(lasts, tf.int32))
            return tf.cast(firsts, tf.int32) - begin, ends - begin

        if unit == "characters":
            starts, ends = characters()
        else:  # Bytes that are not valid are not in `clean`.
            starts, ends = tf.cond(
                tf.reduce_all(sizes == tf.strings.length(texts)),
                of_valid_bytes,
                lambda: _in_bytes(texts, rows_of(ids), *characters()),
            )
        return Located(ids, ids.with_values(starts), ids.with_values(ends))

    def _without_long_words(
        self, ids: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Replaces the tokens of each word that is too long with one [UNK]."""
        begins = ~tf.gather(self._goes_on, ids)
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        # A word that is not in the vocabulary is one [UNK] already, however long it is.
        sizes = tf.math.segment_sum(tf.gather(self._sizes, ids), word)
        is_long = tf.gather(sizes > MAX_WORD_CHARACTERS, word)
        ids = tf.where(is_long, self._unknown_id, ids)
        ends = tf.where(is_long, tf.gather(tf.math.segment_max(ends, word), word), ends)
        kept = tf.where(begins | ~is_long)[:, 0]
        return tf.gather(ids, kept), tf.gather(starts, kept), tf.gather(ends, kept)


def rows_of(tokens: tf.RaggedTensor) -> tf.Tensor:
    """Returns the row of each token, much faster than `value_rowids`."""
    ends = tokens.row_limits()[:, None]
    size = tf.size(tokens.values, tf.int64)
    return tf.cumsum(tf.scatter_nd(ends, tf.ones_like(ends[:, 0]), [size + 1]))[:-1]


def _numbered(is_start: tf.Tensor, begins: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns the number of the character of each byte, counted from 1 in each row.

    Args:
        is_start: `<bool>[bytes]`, whether a character starts at the byte, for all rows, each
            followed by one more character.
        begins: `<int32>[B]`, the byte where each row begins.
        lengths: `<int32>[B]`, the number of characters of each row.
    """
    before = tf.concat([[0], lengths + 1], 0)[:-1]
    steps = tf.cast(is_start, tf.int32)
    return tf.cumsum(tf.tensor_scatter_nd_sub(steps, begins[:, None], before))


def _next(is_start: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns the first byte of the next character for each byte, at most three bytes later."""
    goes_on, found = tf.ones_like(places), places + 1
    last = tf.size(is_start) - 1
    for _ in range(3):
        goes_on *= 1 - tf.cast(tf.gather(is_start, tf.minimum(found, last)), tf.int32)
        found += goes_on
    return found


def _in_bytes(
    texts: tf.Tensor, rows: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the first and last bytes of characters in the original texts."""
    codes, places = tf.strings.unicode_decode_with_offsets(texts, "UTF-8", errors="ignore")
    base = tf.gather(codes.row_starts(), rows)
    lasts = base + tf.cast(ends - 1, tf.int64)
    code = tf.gather(codes.values, lasts)
    width = 1 + tf.searchsorted([0x80, 0x800, 0x10000], code, side="right")
    starts = tf.gather(places.values, base + tf.cast(starts, tf.int64))
    return tf.cast(starts, tf.int32), tf.cast(tf.gather(places.values, lasts), tf.int32) + width
