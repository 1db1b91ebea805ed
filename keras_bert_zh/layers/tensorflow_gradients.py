"""Functions with gradients of their own, for memory and time.

TensorFlow keeps what each operation of a formula gave until its gradient has been computed. Here
only what can't be computed again at little cost is kept.
"""

import math
from collections.abc import Callable

import tensorflow as tf

_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


def _widened(x: tf.Tensor) -> tf.Tensor:
    """At least float32: TensorFlow's element-wise kernels take twice as long in bfloat16."""
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


@tf.custom_gradient
def gelu_tanh(x: tf.Tensor):
    """GELU in its tanh approximation; keeps `x` alone."""

    def gradient(upstream):
        wide = _widened(x)
        square = tf.square(wide)
        tanh = tf.tanh(wide * (_TANH_SCALE + _TANH_SCALE * _TANH_CUBE * square))
        slope = 0.5 * _TANH_SCALE + 1.5 * _TANH_SCALE * _TANH_CUBE * square
        derivative = 0.5 + 0.5 * tanh + wide * tf.raw_ops.TanhGrad(y=tanh, dy=slope)
        return upstream * tf.cast(derivative, x.dtype)

    # As TensorFlow writes it: oneDNN computes it in one kernel with the product before it.
    return tf.nn.gelu(x, approximate=True), gradient


@tf.custom_gradient
def gelu_erf(x: tf.Tensor):
    """GELU by the error function; keeps `x` alone."""

    def gradient(upstream):
        wide = _widened(x)
        cumulative = 0.5 + 0.5 * tf.math.erf(wide * math.sqrt(0.5))
        density = tf.exp(-0.5 * tf.square(wide)) * (1 / math.sqrt(2 * math.pi))
        return upstream * tf.cast(cumulative + wide * density, x.dtype)

    return tf.nn.gelu(x, approximate=False), gradient


def attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    penalty: tf.Tensor,
    drop: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """What each query finds among the values; keeps its inputs alone.

    The probabilities, which take most of the memory, are computed again for the gradients.

    Args:
        query: `<float>[B, N, Q, H]`, scaled.
        key, value: `<float>[B, N, S, H]`.
        penalty: `<float>[B, 1, 1, S]`, what is added to the scores, in the softmax's dtype. It has
            no gradient.
        drop: dropout that drops the same numbers whenever it is called.

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
                noise = drop(tf.ones_like(probabilities))
            to_value = tf.matmul(probabilities * noise, upstream, transpose_a=True)
            slope = _widened(tf.matmul(upstream, value, transpose_b=True) * noise)
            wide = _widened(probabilities)
            slope = wide * (slope - tf.reduce_sum(slope * wide, -1, keepdims=True))
            slope = tf.cast(slope, query.dtype)
            return tf.matmul(slope, key), tf.matmul(slope, query, transpose_a=True), to_value

        return tf.matmul(drop(look(query, key)), value), gradient

    return attend(query, key, value)


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalisation over the last axis in the dtype of gamma; keeps `x` alone.

    Args:
        x: `<float>[..., D]`.
        gamma, beta: `<float>[D]`, of at least `x`'s precision.
        epsilon: float, added to the variance.

    Returns:
        `<float>[..., D]` of the dtype of `x`.
    """

    @tf.custom_gradient
    def normalize(x, gamma, beta):
        def normal_and_scale():
            centred = tf.cast(x, gamma.dtype)
            centred -= tf.reduce_mean(centred, -1, keepdims=True)
            variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
            inverse = tf.math.rsqrt(variance + epsilon)
            return centred * inverse, inverse

        def gradient(upstream):
            # Of `x`, and not from above, for the sake of gradients of this gradient.
            normal, inverse = normal_and_scale()
            upstream = tf.cast(upstream, gamma.dtype)
            product = upstream * normal
            others = list(range(upstream.shape.rank - 1))
            scaled = upstream * gamma
            mean = tf.reduce_mean(scaled, -1, keepdims=True)
            slope = tf.tensordot(product, gamma, 1)[..., None] * (1 / gamma.shape[0])
            inner = tf.cast((scaled - mean - normal * slope) * inverse, x.dtype)
            return inner, tf.reduce_sum(product, others), tf.reduce_sum(upstream, others)

        normal, _ = normal_and_scale()
        return tf.cast(tf.nn.bias_add(normal * gamma, beta), x.dtype), gradient

    return normalize(x, gamma, beta)


def rows(table: tf.Tensor | tf.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a table; its gradient is one tensor, the sum over all places of an id.

    Args:
        table: `<float>[V, D]`.
        ids: `<int32>[...]`, each in `[0, V)`.

    Returns:
        `<float>[..., D]`.
    """

    @tf.custom_gradient
    def gather(table):
        def gradient(upstream):
            flat = tf.reshape(upstream, (-1, table.shape[1]))
            return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), table.shape[0])

        return tf.gather(table, ids), gradient

    # Not a variable, whose gradient would be left to TensorFlow.
    return gather(tf.convert_to_tensor(table))
