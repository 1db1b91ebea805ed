"""A sum with a simpler gradient."""

import tensorflow as tf


def add_in_training(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """See `portable.add_in_training`.

    If shapes are not known, the gradient of `x + y` checks for broadcast dimensions; this does not.
    """
    return tf.add_n([x, y])
