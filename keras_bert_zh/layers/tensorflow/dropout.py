"""Dropout that draws fewer random bits."""

import tensorflow as tf

from keras_bert_zh.layers.tensorflow.placement import has_accelerator, in_xla

# A number is dropped where 16 random bits fall below the rate.
_STEPS = 2**16


def dropout_algorithm() -> str | None:
    """Returns the fastest random number algorithm for the current device: in XLA on a CPU, the one
    that TensorFlow chooses takes 100 times longer."""
    return "threefry" if in_xla() and not has_accelerator() else "auto_select"


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor, algorithm: str | None) -> tf.Tensor:
    """See `portable.dropout`; the rate is exact to within 1 / 131,072.

    `tf.nn.dropout` spends most of its time on drawing random numbers of 32 bits; these have 16.
    """
    dropped = min(max(round(rate * _STEPS), 1), _STEPS - 1)
    kept = _random_int16(x, seed, algorithm) >= dropped - _STEPS // 2
    # No gradient of its own: attention drops out in one, and TensorFlow saves none inside another.
    return tf.where(kept, x * (_STEPS / (_STEPS - dropped)), tf.zeros([], x.dtype))


def _random_int16(x: tf.Tensor, seed: tf.Tensor, algorithm: str | None) -> tf.Tensor:
    """Returns numbers in the shape of `x`, two from each word that is drawn."""
    shape = tf.shape(x)
    even = [axis for axis, size in enumerate(x.shape) if size is not None and size % 2 == 0]
    if even:
        halves = [2 if axis == even[-1] else 1 for axis in range(x.shape.rank)]
        return tf.reshape(tf.bitcast(_words(shape // halves, seed, algorithm), tf.int16), shape)
    size = tf.reduce_prod(shape)
    numbers = tf.bitcast(_words([(size + 1) // 2], seed, algorithm), tf.int16)
    return tf.reshape(tf.reshape(numbers, [-1])[:size], shape)


def _words(shape: tf.Tensor, seed: tf.Tensor, algorithm: str | None) -> tf.Tensor:
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=algorithm
    )
