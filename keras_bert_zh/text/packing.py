"""Formats the tokens of one or two texts as inputs of BERT.

Reference: `convert_single_example` and `_truncate_seq_pair` in google-research/bert
`run_classifier.py`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf


class Beside(NamedTuple):
    """A value for each token, which `pack` arranges in the same way as the tokens.

    Attributes:
        first, second: ragged `<int32>[B, (tokens)]`, with the rows of the tokens.
        fill: int, the value for special tokens and padding.
    """

    first: tf.RaggedTensor
    second: tf.RaggedTensor | None
    fill: int


def pack(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None,
    *,
    max_length: int,
    cls_id: int,
    sep_id: int,
    pad_id: int,
    beside: Mapping[str, Beside] | None = None,
) -> dict[str, tf.Tensor]:
    """Packs `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, cut and padded.

    Args:
        first, second: ragged `<int32>[B, (tokens)]`. A row whose `second` is empty, or becomes
            empty when it is cut, is formatted as a single text.
        max_length: int, S, at least 3.
        beside: further values of each token, by their names in the result.

    Returns:
        dict of `input_ids`, `input_mask`, `segment_ids` and the names of `beside`, each
        `<int32>[B, S]`.
    """
    first_kept, second_kept = _kept(first, second, max_length)
    first_end = first_kept[:, None] + 2
    end = first_end + tf.where(second_kept > 0, second_kept + 1, 0)[:, None]
    position = tf.range(max_length)[None]
    source = tf.cast(first.row_starts(), tf.int32)[:, None] + position - 1
    if second is not None:
        second_start = tf.cast(second.row_starts(), tf.int32) + tf.size(first.values)
        source = tf.where(
            position < first_end, source, second_start[:, None] + position - first_end
        )

    def lay_out(first, second, fill):
        # With the fill at the end, for padding, there is never an empty gather.
        values = tf.concat([first.values, *([] if second is None else [second.values]), [fill]], 0)
        return tf.gather(values, tf.clip_by_value(source, 0, tf.size(values) - 1))

    is_sep = (position == first_end - 1) | (position == end - 1)
    is_token = (position > 0) & (position < end) & ~is_sep
    ids = tf.where(is_sep, sep_id, tf.where(is_token, lay_out(first, second, pad_id), pad_id))
    return {
        "input_ids": tf.where(position == 0, cls_id, ids),
        "input_mask": tf.cast(position < end, tf.int32),
        "segment_ids": tf.cast((position >= first_end) & (position < end), tf.int32),
        **{
            name: tf.where(is_token, lay_out(*column), column.fill)
            for name, column in (beside or {}).items()
        },
    }


def left_out(
    first: tf.RaggedTensor, second: tf.RaggedTensor | None, *, max_length: int
) -> tf.Tensor:
    """Returns the number of tokens of each row that `pack` leaves out, `<int32>[B]`."""
    lost = 0
    for tokens, kept in zip((first, second), _kept(first, second, max_length), strict=True):
        if tokens is not None:
            lost += tf.cast(tokens.row_lengths(), tf.int32) - kept
    return lost


def _kept(
    first: tf.RaggedTensor, second: tf.RaggedTensor | None, max_length: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the number of tokens of each text that are kept, each `<int32>[B]`.

    The original repeatedly drops the last token of the longer text, or of the second text if both
    have the same length, until both fit. This computes the same directly.
    """
    first_length = tf.cast(first.row_lengths(), tf.int32)
    alone = tf.minimum(first_length, max_length - 2)
    if second is None:
        return alone, tf.zeros_like(alone)
    second_length = tf.cast(second.row_lengths(), tf.int32)
    room = max_length - 3
    first_kept = tf.minimum(first_length, tf.maximum((room + 1) // 2, room - second_length))
    second_kept = tf.minimum(second_length, tf.maximum(room // 2, room - first_length))
    return tf.where(second_length > 0, first_kept, alone), second_kept
