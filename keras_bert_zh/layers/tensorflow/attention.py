"""Attention that needs little memory in training."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert_zh.layers import portable
from keras_bert_zh.layers.tensorflow.placement import on_cpu
from keras_bert_zh.layers.tensorflow.widened import widened


def attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    penalty: tf.Tensor,
    drop: Any,
    *,
    training: bool,
) -> tf.Tensor:
    """See `portable.attention`; on a CPU, training computes the probabilities twice.

    That takes little time there, and the probabilities take most of the memory.
    """
    if training and on_cpu():
        return recomputed(query, key, value, penalty, drop if drop.rate else None)
    return portable.attention(query, key, value, penalty, drop, training=training)


def recomputed(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    penalty: tf.Tensor,
    drop: Callable[[tf.Tensor], tf.Tensor] | None,
) -> tf.Tensor:
    """Attention that keeps only its inputs for the gradients.

    The probabilities, which take most of the memory, are computed again for the gradients.

    Args:
        query: `<float>[B, N, Q, H]`, scaled.
        key, value: `<float>[B, N, S, H]`.
        penalty: `<float>[B, 1, 1 or Q, S]`, added to the scores, in the dtype of the softmax. It
            has no gradient.
        drop: dropout that drops the same numbers at each call; `None` drops nothing.

    Returns:
        `<float>[B, N, Q, H]`.

    Reference:
        Rabe and Staats, Self-attention Does Not Need O(n²) Memory, 2021
        (https://arxiv.org/abs/2112.05682).
    """

    @tf.custom_gradient
    def attend(query, key, value):
        def look(query, key):
            scores = tf.matmul(query, key, transpose_b=True)
            probabilities = tf.nn.softmax(tf.cast(scores, penalty.dtype) + penalty)
            return tf.cast(probabilities, query.dtype)

        def gradient(upstream):
            # Not before there is something to do with it, or it would be kept all the same.
            with tf.control_dependencies([upstream]):
                probabilities = look(tf.identity(query), tf.identity(key))
                noise = drop(tf.ones_like(probabilities)) if drop else None
            dropped = probabilities * noise if drop else probabilities
            to_value = tf.matmul(dropped, upstream, transpose_a=True)
            slope = tf.matmul(upstream, value, transpose_b=True)
            slope, wide = widened(slope * noise if drop else slope), widened(probabilities)
            slope = wide * (slope - tf.reduce_sum(slope * wide, -1, keepdims=True))
            slope = tf.cast(slope, query.dtype)
            return tf.matmul(slope, key), tf.matmul(slope, query, transpose_a=True), to_value

        probabilities = look(query, key)
        return tf.matmul(drop(probabilities) if drop else probabilities, value), gradient

    return attend(query, key, value)
