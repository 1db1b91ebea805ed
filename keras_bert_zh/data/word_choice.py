"""Chooses the words of a text that are masked."""

import tensorflow as tf


def choose(
    candidates: tf.Tensor,
    word_starts: tf.Tensor,
    scores: tf.Tensor,
    tie_breaks: tf.Tensor,
    *,
    rate: float,
    limit: int,
) -> tf.Tensor:
    """Chooses words at random until they hold `rate` of the candidates of their row.

    Words are taken in the order of their scores while they lie below the target, the number of
    tokens to choose. Of the one that lies on both sides of it, a random number decides, so that
    as many are chosen as the target says, on average whatever the lengths of words, and exactly
    where each is one token long.

    Args:
        candidates: `<bool>[B, S]`, the tokens that may be chosen.
        word_starts: `<int32>[B, S]`, 1 where a word begins.
        scores, tie_breaks: `<float32>[B, S]`, random numbers in [0, 1).
        rate: float, the share of the candidates that is chosen, at least one of them.
        limit: int, the most that are chosen. A word that would go beyond is not.

    Returns:
        `<bool>[B, S]`.
    """
    rows, length = tf.unstack(tf.shape(candidates))
    # Tokens before the first start belong to the first word.
    words = tf.cumsum(word_starts, axis=1) - word_starts[:, :1]
    sizes = tf.math.unsorted_segment_sum(
        tf.cast(candidates, tf.int32), words + length * tf.range(rows)[:, None], rows * length
    )
    sizes = tf.reshape(sizes, [rows, length])
    # float64 rounds as Python's round(rate * count) does.
    target = tf.round(rate * tf.cast(tf.reduce_sum(sizes, axis=1, keepdims=True), tf.float64))
    target = tf.clip_by_value(tf.cast(target, tf.int32), 1, limit)

    order = tf.argsort(tf.where(sizes > 0, scores, 2.0), axis=1)
    sizes = tf.gather(sizes, order, batch_dims=1)
    below = tf.cumsum(sizes, axis=1, exclusive=True)
    taken = tie_breaks * tf.cast(sizes, tf.float32) < tf.cast(target - below, tf.float32)
    taken &= below + sizes <= limit
    taken = tf.gather(taken, tf.argsort(order, axis=1), batch_dims=1)
    return candidates & tf.gather(taken, words, batch_dims=1)


def places(chosen: tf.Tensor, limit: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Lists the chosen tokens of each row, of which there are at most `limit`.

    Args:
        chosen: `<bool>[B, S]`.
        limit: int, P.

    Returns:
        `<int32>[B, P]`, their positions, rising, then zeros; and `<bool>[B, P]`, which of these
        are positions.
    """
    length = tf.shape(chosen)[1]
    positions = tf.sort(tf.where(chosen, tf.range(length), length), axis=1)
    positions = tf.pad(positions, [[0, 0], [0, limit]], constant_values=length)[:, :limit]
    used = positions < length
    return tf.where(used, positions, 0), used
