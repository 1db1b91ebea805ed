"""What TensorFlow can't do on several devices."""

import tensorflow as tf


def refuse_loss_scaling() -> None:
    """See `portable.refuse_loss_scaling`.

    Keras looks for overflow on the first device alone. Where another one overflows, all weights
    become NaN.
    """
    if tf.distribute.has_strategy():
        raise ValueError(
            "A LossScaleOptimizer, which Keras puts around the optimiser of mixed_float16 models, "
            "can't be used under tf.distribute: Keras looks for overflow on the first device "
            "alone. Take dtype='mixed_bfloat16'; or Keras on JAX, with "
            "keras.distribution.DataParallel."
        )
