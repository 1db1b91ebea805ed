"""Lays the tokens of one or two texts out as BERT reads them.

Reference: `convert_single_example` and `_truncate_seq_pair` in google-research/bert
`run_classifier.py`.
"""

import tensorflow as tf


def pack(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None,
    *,
    max_length: int,
    cls_id: int,
    sep_id: int,
    pad_id: int,
) -> dict[str, tf.Tensor]:
    """Packs `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, cut and padded.

    Args:
        first, second: ragged `<int32>[B, (tokens)]`. A row whose `second` is empty, or is cut to
            nothing, is laid out as a single text.
        max_length: int, S, at least 3.

    Returns:
        dict of `input_ids`, `input_mask` and `segment_ids`, each `<int32>[B, S]`.
    """
    values = [first.values, [pad_id]]  # Never an empty gather.
    first_kept, second_kept = _kept(first, second, max_length)
    first_end = first_kept[:, None] + 2
    end = first_end + tf.where(second_kept > 0, second_kept + 1, 0)[:, None]
    position = tf.range(max_length)[None]
    source = tf.cast(first.row_starts(), tf.int32)[:, None] + position - 1
    if second is not None:
        values.insert(1, second.values)
        second_start = tf.cast(second.row_starts(), tf.int32) + tf.size(first.values)
        source = tf.where(
            position < first_end, source, second_start[:, None] + position - first_end
        )
    tokens = tf.concat(values, 0)
    ids = tf.gather(tokens, tf.clip_by_value(source, 0, tf.size(tokens) - 1))
    ids = tf.where((position == first_end - 1) | (position == end - 1), sep_id, ids)
    ids = tf.where(position == 0, cls_id, tf.where(position < end, ids, pad_id))
    return {
        "input_ids": ids,
        "input_mask": tf.cast(position < end, tf.int32),
        "segment_ids": tf.cast((position >= first_end) & (position < end), tf.int32),
    }


def are_cut(
    first: tf.RaggedTensor, second: tf.RaggedTensor | None, *, max_length: int
) -> tf.Tensor:
    """Returns which rows `pack` leaves tokens out of, `<bool>[B]`."""
    cut = False
    for tokens, kept in zip((first, second), _kept(first, second, max_length), strict=True):
        if tokens is not None:
            cut |= kept < tf.cast(tokens.row_lengths(), tf.int32)
    return cut


def _kept(
    first: tf.RaggedTensor, second: tf.RaggedTensor | None, max_length: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns how many tokens of each text stay, each `<int32>[B]`.

    The original drops the last token of the longer text, of the second one where they are
    equally long, until both fit. This is the same in closed form.
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
