"""Casts half precision for element-wise arithmetic."""

import tensorflow as tf


def widened(x: tf.Tensor) -> tf.Tensor:
    """Casts to float32 or more: element-wise kernels of TensorFlow are half as fast in bfloat16."""
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x
