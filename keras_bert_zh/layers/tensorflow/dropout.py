"""Dropout from as few random bits as it needs."""

import tensorflow as tf

from keras_bert_zh.layers.tensorflow.placement import has_accelerator, in_xla

# A number is dropped where 16 random bits fall below the rate.
_STEPS = 2**16


def dropout_algorithm() -> str | None:
    """Returns what draws fastest where this is traced: on a CPU, XLA takes a hundred times as long
    for what TensorFlow chooses."""
    return "threefry" if in_xla() and not has_accelerator() else "auto_select"


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor, algorithm: str | None) -> tf.Tensor:
    """See `portable.dropout`; the rate is exact to within 1 / 131,072.

    The random numbers of `tf.nn.dropout` have 32 bits, and drawing them takes most of its time.
    """
    dropped = min(max(round(rate * _STEPS), 1), _STEPS - 1)
    kept = _random_int16(tf.shape(x), seed, algorithm) >= dropped - _STEPS // 2
    scale = tf.cast(_STEPS / (_STEPS - dropped), x.dtype)
    return tf.where(kept, x * scale, tf.zeros([], x.dtype))


def _random_int16(shape: tf.Tensor, seed: tf.Tensor, algorithm: str | None) -> tf.Tensor:
    size = tf.reduce_prod(shape)
    bits = tf.random.stateless_uniform(
        [(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32, alg=algorithm
    )
    return tf.reshape(tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size], shape)
