"""GELU with custom gradients.

TensorFlow keeps the result of each operation until its gradient has been computed. Here, as in
`attention.py` and `layer_norm.py`, results that are cheap to compute again are not kept.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from keras_bert_zh.layers.tensorflow.widened import widened

_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


def gelu_tanh(x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """GELU in its tanh approximation; keeps only `x`."""

    def inner(wide, square):
        return tf.tanh(wide * (_TANH_SCALE + _TANH_SCALE * _TANH_CUBE * square))

    def share(wide):
        return 0.5 + 0.5 * inner(wide, tf.square(wide))

    def derivative(wide):
        square = tf.square(wide)
        tanh = inner(wide, square)
        slope = 0.5 * _TANH_SCALE + 1.5 * _TANH_SCALE * _TANH_CUBE * square
        return 0.5 + 0.5 * tanh + wide * tf.raw_ops.TanhGrad(y=tanh, dy=slope)

    return _gelu(x, share, derivative, approximate=True, training=training)


def gelu_erf(x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """GELU by the error function; keeps only `x`."""

    def share(wide):
        return 0.5 + 0.5 * tf.math.erf(wide * math.sqrt(0.5))

    def derivative(wide):
        density = tf.exp(-0.5 * tf.square(wide)) * (1 / math.sqrt(2 * math.pi))
        return share(wide) + wide * density

    return _gelu(x, share, derivative, approximate=False, training=training)


def _gelu(
    x: tf.Tensor, share: Callable, derivative: Callable, *, approximate: bool, training: bool
) -> tf.Tensor:
    """Returns `x` times `share`, with the given derivative."""

    @tf.custom_gradient
    def gelu(x):
        def gradient(upstream):
            return upstream * tf.cast(derivative(widened(x)), x.dtype)

        if training:
            # The product before it is kept, so that oneDNN can't compute both in one kernel.
            wide = widened(x)
            return tf.cast(wide * share(wide), x.dtype), gradient
        # As TensorFlow writes it: oneDNN computes it in one kernel with the product before it.
        # TensorFlow sorts what is added by name, and the product's must come first for that.
        return tf.nn.gelu(x, approximate=approximate, name="the_gelu"), gradient

    return gelu(x)
