"""Answers as spans of tokens: predicted from logits, or located in texts.

Reference: `write_predictions` and `convert_examples_to_features` in google-research/bert
`run_squad.py`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

# The logarithm of no probability at all, and less than that of any other.
_NOTHING = -1e30


class Spans(NamedTuple):
    """The best span of each of B texts.

    Attributes:
        exists: `<bool>[B]`, whether there is one: an empty text has none.
        window, first, last: `<int64>[B]`, its window, and the positions of its tokens there.
        score: `<float32>[B]`, its probability in its window: that of its start times its end.
        null_score: `<float32>[B]`, the same for `[CLS]`, in the window where it is lowest.
    """

    exists: tf.Tensor
    window: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor
    score: tf.Tensor
    null_score: tf.Tensor


def best_spans(
    start_logits: tf.Tensor,
    end_logits: tf.Tensor,
    windows: Mapping[str, tf.Tensor],
    *,
    max_length: int,
) -> Spans:
    """Finds the most probable span in all windows of each text.

    Probabilities are the softmax over each window, so that spans of different windows can be
    compared: in a window without the answer, `[CLS]` is more probable. The original compares
    logits. A span begins in the window where its first token has the most context, ends in the same
    window and has up to `max_length` tokens. Of equal spans, the first window counts, then the span
    that ends first, then the one that begins first.

    Args:
        start_logits, end_logits: `<float>[W, S]`.
        windows: the result of `BertPreprocess.windows` for pairs.
        max_length: int, at least 1.
    """
    starts, ends = (
        tf.nn.log_softmax(tf.cast(logits, tf.float32)) for logits in (start_logits, end_logits)
    )
    null_score = tf.math.segment_min(starts[:, 0] + ends[:, 0], windows["text_ids"])
    begins = tf.where(windows["is_max_context"], starts, _NOTHING)
    ends = tf.where(in_second(windows), ends, _NOTHING)
    # The best start for each end, and then the best end of each window.
    before = tf.pad(begins, [[0, 0], [max_length - 1, 0]], constant_values=_NOTHING)
    sums = ends + tf.nn.max_pool1d(before[:, :, None], max_length, 1, "VALID")[:, :, 0]
    text_ids = windows["text_ids"]
    best = tf.reduce_max(sums, axis=1)
    score = tf.math.segment_max(best, text_ids)
    number = tf.range(tf.size(text_ids, tf.int64))
    is_best = best == tf.gather(score, text_ids)
    window = tf.math.segment_min(tf.where(is_best, number, number.dtype.max), text_ids)
    last = tf.argmax(tf.gather(sums, window), axis=1)
    place = tf.range(tf.shape(begins, tf.int64)[1])[None]
    is_near = (place <= last[:, None]) & (place > last[:, None] - max_length)
    first = tf.argmax(tf.where(is_near, tf.gather(begins, window), 2 * _NOTHING), axis=1)
    exists = score > _NOTHING / 2
    return Spans(exists, window, first, last, tf.exp(score), tf.exp(null_score))


def in_second(windows: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns which tokens belong to the second text, `<bool>[W, S]`, without `[SEP]`."""
    second = windows["segment_ids"] > 0
    return second & tf.pad(second[:, 1:], [[0, 0], [0, 1]])


def labels_of_spans(
    windows: Mapping[str, tf.Tensor], starts: tf.Tensor, ends: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the first and the last token of an answer in each window, each `<int32>[W]`.

    The tokens of an answer are those that share characters with it. Both are 0 in windows that do
    not contain all of them.

    Args:
        windows: the result of `BertPreprocess.windows` for pairs, with offsets in characters.
        starts, ends: `<int32>[B]`, in characters of the second texts.
    """
    text_ids = windows["text_ids"]
    start, end = tf.gather(starts, text_ids)[:, None], tf.gather(ends, text_ids)[:, None]
    inside = in_second(windows) & (windows["ends"] > start) & (windows["starts"] < end)
    counts = tf.math.count_nonzero(inside, axis=1, dtype=tf.int32)
    total = tf.math.segment_sum(
        tf.math.count_nonzero(inside & windows["is_max_context"], axis=1, dtype=tf.int32), text_ids
    )
    is_whole = (counts > 0) & (counts == tf.gather(total, text_ids))
    first = tf.where(is_whole, tf.argmax(inside, axis=1, output_type=tf.int32), 0)
    return first, tf.where(is_whole, first + counts - 1, 0)
