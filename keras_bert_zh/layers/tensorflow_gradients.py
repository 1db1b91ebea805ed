"""Functions with gradients of their own, for memory and time.

TensorFlow keeps what each operation of a formula gave until its gradient has been computed. Here
only what can't be computed again at little cost is kept.
"""

import math

import tensorflow as tf

_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


@tf.custom_gradient
def gelu_tanh(x: tf.Tensor):
    """GELU in its tanh approximation; keeps `x` alone."""

    def gradient(upstream):
        square = tf.square(x)
        # (1 + tanh(z)) / 2 is sigmoid(2 z), which takes fewer passes.
        gate = tf.sigmoid(x * (2 * _TANH_SCALE + 2 * _TANH_SCALE * _TANH_CUBE * square))
        slope = 2 * _TANH_SCALE + 6 * _TANH_SCALE * _TANH_CUBE * square
        return upstream * (gate + x * tf.raw_ops.SigmoidGrad(y=gate, dy=slope))

    # As TensorFlow writes it: oneDNN computes it in one kernel with the product before it.
    return tf.nn.gelu(x, approximate=True), gradient


@tf.custom_gradient
def gelu_erf(x: tf.Tensor):
    """GELU by the error function; keeps `x` alone."""

    def gradient(upstream):
        cumulative = 0.5 + 0.5 * tf.math.erf(x * math.sqrt(0.5))
        density = tf.exp(-0.5 * tf.square(x)) * (1 / math.sqrt(2 * math.pi))
        return upstream * (cumulative + x * density)

    return tf.nn.gelu(x, approximate=False), gradient


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalisation over the last axis in the dtype of gamma; keeps the normalised `x`.

    Args:
        x: `<float>[..., D]`.
        gamma, beta: `<float>[D]`, of at least `x`'s precision.
        epsilon: float, added to the variance.

    Returns:
        `<float>[..., D]` of the dtype of `x`.
    """

    @tf.custom_gradient
    def normalize(x, gamma, beta):
        centred = tf.cast(x, gamma.dtype)
        centred -= tf.reduce_mean(centred, -1, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        normal = centred * inverse

        def gradient(upstream):
            upstream = tf.cast(upstream, gamma.dtype)
            product = upstream * normal
            others = list(range(upstream.shape.rank - 1))
            scaled = upstream * gamma
            mean = tf.reduce_mean(scaled, -1, keepdims=True)
            slope = tf.tensordot(product, gamma, 1)[..., None] * (1 / gamma.shape[0])
            inner = tf.cast((scaled - mean - normal * slope) * inverse, x.dtype)
            return inner, tf.reduce_sum(product, others), tf.reduce_sum(upstream, others)

        return tf.cast(tf.nn.bias_add(normal * gamma, beta), x.dtype), gradient

    return normalize(x, gamma, beta)
