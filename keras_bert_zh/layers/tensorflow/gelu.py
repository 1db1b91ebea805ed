"""GELU with gradients of its own.

TensorFlow keeps what each operation of a formula gave until its gradient has been computed. Here,
as in `attention.py` and `layer_norm.py`, only what can't be computed again at little cost is kept.
"""

import math

import tensorflow as tf

from keras_bert_zh.layers.tensorflow.widened import widened

_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


@tf.custom_gradient
def gelu_tanh(x: tf.Tensor):
    """GELU in its tanh approximation; keeps `x` alone."""

    def gradient(upstream):
        wide = widened(x)
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
        wide = widened(x)
        cumulative = 0.5 + 0.5 * tf.math.erf(wide * math.sqrt(0.5))
        density = tf.exp(-0.5 * tf.square(wide)) * (1 / math.sqrt(2 * math.pi))
        return upstream * tf.cast(cumulative + wide * density, x.dtype)

    return tf.nn.gelu(x, approximate=False), gradient
