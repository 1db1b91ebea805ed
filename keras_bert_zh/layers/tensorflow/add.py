"""A sum whose gradient is the one that comes."""

import tensorflow as tf


def add_in_training(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """See `portable.add_in_training`.

    The gradient of `x + y` looks for dimensions that one of them has not, where shapes are open.
    """
    return tf.add_n([x, y])
