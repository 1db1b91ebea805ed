"""AdamW with one fused operation per variable. TensorFlow only.

Keras uses sixty operations per variable, which are most of the graph of a training step, and all
of them have to be traced, optimised and run.
"""

import concurrent.futures
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class FusedAdamW(keras.optimizers.AdamW):
    """Keras's AdamW, with TensorFlow's fused kernel for float32 variables.

    Keras computes the rest: gradients that are not tensors, other dtypes, and AMSGrad.

    Args:
        *args: arguments of `keras.optimizers.AdamW`.
        **kwargs: arguments of `keras.optimizers.AdamW`.

    Reference:
        Kingma and Ba, Adam, 2014 (https://arxiv.org/abs/1412.6980).
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._scalars: _Scalars | None = None

    def build(self, var_list):
        if self.gradient_accumulation_steps and tf.distribute.has_strategy():
            raise ValueError(
                f"gradient_accumulation_steps={self.gradient_accumulation_steps} can't be used "
                "under tf.distribute, where Keras does not accumulate gradients. Use larger "
                "batches, with BertEncoder(remat=True) if memory is short; or use Keras on JAX "
                "with keras.distribution.DataParallel."
            )
        if tf.executing_eagerly():
            super().build(var_list)
            return
        # A function that makes variables while it is traced is traced twice, and in another thread
        # nothing is being traced.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            thread.submit(super().build, var_list).result()

    def _clip_gradients(self, grads):
        if self.clipnorm and all(map(_is_dense, grads)):
            return clip_each(grads, self.clipnorm)
        return super()._clip_gradients(grads)

    def _backend_apply_gradients(self, grads, trainable_variables):
        if tf.distribute.has_strategy():
            # Before they are clipped: Keras would clip what each device has, and then add that up.
            pairs = super()._all_reduce_sum_gradients(zip(grads, trainable_variables, strict=True))
            grads = [gradient for gradient, _ in pairs]
        # Of data whose length is not known, Keras runs one step too many at the end of an epoch,
        # which computes no gradient, but would count as a step and decay the weights.
        with tf.control_dependencies(grads[-1:]):
            super()._backend_apply_gradients(grads, trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Does nothing: that was done before."""
        return grads_and_vars

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        self._scalars = self._make_scalars()
        try:
            if tf.distribute.has_strategy():
                super()._backend_update_step(grads, trainable_variables, learning_rate)
                return
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                native = variable.value if isinstance(variable, keras.Variable) else variable
                self.update_step(gradient, native, learning_rate)
        finally:
            self._scalars = None

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or not _is_dense(gradient) or variable.dtype != tf.float32:
            super().update_step(gradient, variable, learning_rate)
            return
        scalars = self._scalars or self._make_scalars()
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=tf.cast(learning_rate, tf.float32),
            grad=gradient,
            **scalars._asdict(),
        )

    def _make_scalars(self) -> "_Scalars":
        settings = (self.beta_1, self.beta_2, self.epsilon)
        beta_1, beta_2, epsilon = (tf.constant(value, tf.float32) for value in settings)
        step = tf.cast(self.iterations + 1, tf.float32)
        return _Scalars(tf.pow(beta_1, step), tf.pow(beta_2, step), beta_1, beta_2, epsilon)


class _Scalars(NamedTuple):
    """What all variables share in an update, by the names that the kernel has."""

    beta1_power: tf.Tensor
    beta2_power: tf.Tensor
    beta1: tf.Tensor
    beta2: tf.Tensor
    epsilon: tf.Tensor


def clip_each(gradients: list[tf.Tensor], norm: float) -> list[tf.Tensor]:
    """Returns gradients, each of which has at most that norm.

    Args:
        gradients: `<float32>[...]` each.
        norm: float.
    """
    norms = tf.sqrt(2 * tf.stack([tf.nn.l2_loss(gradient) for gradient in gradients]))
    divisors = tf.unstack(tf.maximum(norms / norm, 1))
    return [gradient / divisor for gradient, divisor in zip(gradients, divisors, strict=True)]


def _is_dense(gradient: Any) -> bool:
    return isinstance(gradient, tf.Tensor) and gradient.dtype == tf.float32
