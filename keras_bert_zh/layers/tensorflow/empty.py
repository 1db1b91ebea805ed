"""Variables whose memory is not touched before it is written."""

import keras
import tensorflow as tf


def unwritten() -> keras.initializers.Initializer:
    """See `portable.unwritten`."""
    return Unwritten()


class Unwritten(keras.initializers.Initializer):
    """Whatever is in memory. Keras has no such initializer: its zeros are written one by one."""

    def __call__(self, shape, dtype=None):
        return tf.raw_ops.Empty(shape=shape, dtype=dtype or keras.config.floatx())
