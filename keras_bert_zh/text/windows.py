"""Splits long texts into overlapping windows.

Reference: `convert_examples_to_features` and `_check_is_max_context` in google-research/bert
`run_squad.py`.
"""

from typing import NamedTuple

import tensorflow as tf

# The ids of tokens and values beside them, by name: ragged `<int32>[B, (tokens)]`.
Columns = dict[str, tf.RaggedTensor]

# The most that a question takes of the tokens of a window, special tokens not counted. The
# original has 64 tokens of 384.
QUESTION_SHARE = 0.5


class Windows(NamedTuple):
    """W windows of B texts, in the order of the texts.

    Attributes:
        first: the columns of the part `[CLS] first [SEP]` of each window, and `is_max_context`, 1
            for tokens of the split text that have the most context in this window, else 0.
        second: the columns of the part after it, none for single texts.
        text_ids: `<int32>[W]`, the index of the text of each window, in ascending order.
    """

    first: Columns
    second: Columns
    text_ids: tf.Tensor


def to_windows(first: Columns, second: Columns, *, max_length: int, stride: int) -> Windows:
    """Splits texts, or the second texts of pairs, into windows that `pack` does not cut.

    Each window begins `stride` tokens after the previous one, or fewer if that would leave out
    tokens in between.

    Args:
        first, second: columns of the texts; `second` is empty for single texts. The first texts of
            pairs are cut to `QUESTION_SHARE`.
        max_length: int, at least 3, or 4 for pairs.
        stride: int, at least 1.
    """
    room = max_length - 2
    if second:
        most = most_of_question(max_length)
        first = {name: column[:, :most] for name, column in first.items()}
        room = max_length - 3 - tf.cast(first["ids"].row_lengths(), tf.int32)
    long = second or first
    lengths = tf.cast(long["ids"].row_lengths(), tf.int32)
    room = tf.broadcast_to(room, tf.shape(lengths))
    step = tf.minimum(stride, room)
    counts = 1 + tf.maximum(lengths - room + step - 1, 0) // step
    text_ids = tf.repeat(tf.range(tf.size(counts)), counts)
    number = tf.range(tf.size(text_ids)) - tf.gather(tf.cumsum(counts, exclusive=True), text_ids)
    begin = number * tf.gather(step, text_ids)
    end = tf.minimum(begin + tf.gather(room, text_ids), tf.gather(lengths, text_ids))
    row_begin = tf.gather(tf.cast(long["ids"].row_starts(), tf.int32), text_ids)
    places = tf.ragged.range(row_begin + begin, row_begin + end, row_splits_dtype=tf.int64)
    cut = {
        name: places.with_values(tf.gather(column.values, places.values))
        for name, column in long.items()
    }
    cut["is_max_context"] = places.with_values(_is_max_context(places, tf.size(long["ids"].values)))
    if not second:
        return Windows(cut, {}, text_ids)
    first = {name: tf.gather(column, text_ids) for name, column in first.items()}
    nowhere = tf.zeros_like(first["ids"].values)
    return Windows(first | {"is_max_context": first["ids"].with_values(nowhere)}, cut, text_ids)


def most_of_question(max_length: int) -> int:
    """Returns the maximum number of tokens of a pair's first text in each window."""
    return int((max_length - 3) * QUESTION_SHARE)


def _is_max_context(places: tf.RaggedTensor, tokens: tf.Tensor) -> tf.Tensor:
    """Returns 1 for each token in the first window where it has the most context, else 0.

    Args:
        places: ragged `<int32>[W, (tokens)]`, the index of each token among all.
        tokens: `<int32>[]`, the number of tokens.
    """
    lengths = places.row_lengths()
    window = tf.cast(places.value_rowids(), tf.int64)
    left = tf.range(tf.size(places.values, tf.int64)) - tf.gather(places.row_starts(), window)
    length = tf.gather(lengths, window)
    # The original adds 0.01 * length to the smaller context; whole numbers are exact.
    score = 100 * tf.minimum(left, length - 1 - left) + length
    ranked = score * tf.size(lengths, tf.int64) - window
    best = tf.math.unsorted_segment_max(ranked, places.values, tokens)
    return tf.cast(ranked == tf.gather(best, places.values), tf.int32)
