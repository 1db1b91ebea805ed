"""Checks for training that TensorFlow can't do on several devices."""

import keras


def refuse_loss_scaling(model: keras.Model) -> None:
    """See `portable.refuse_loss_scaling`.

    Keras checks for overflow on the first device only. If another one overflows, all weights
    become NaN.
    """
    is_scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    if is_scaled and model.distribute_strategy.num_replicas_in_sync > 1:
        raise ValueError(
            "LossScaleOptimizer, in which Keras wraps the optimiser of mixed_float16 models, can't "
            "be used under tf.distribute: Keras checks for overflow on the first device only. Use "
            "dtype='mixed_bfloat16', or Keras on JAX with keras.distribution.DataParallel."
        )


def refuse_several_devices(model: keras.Model) -> None:
    """See `portable.refuse_several_devices`."""
    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"{type(model).__name__} can't train under tf.distribute, where its losses would be "
            "wrong. Train on one device, or use Keras on JAX with keras.distribution.DataParallel."
        )
