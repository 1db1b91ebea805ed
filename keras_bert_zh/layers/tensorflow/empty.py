"""Variables whose memory is not initialised before it is written."""

import keras
import tensorflow as tf


def unwritten() -> keras.initializers.Initializer:
    """See `portable.unwritten`."""
    return Unwritten()


class Unwritten(keras.initializers.Initializer):
    """Leaves the memory uninitialised. Keras has no such initializer: even zeros are written."""

    def __call__(self, shape, dtype=None):
        return tf.raw_ops.Empty(shape=shape, dtype=dtype or keras.config.floatx())
