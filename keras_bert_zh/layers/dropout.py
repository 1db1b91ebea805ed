"""Dropout whose random numbers can be reused."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_rate
from keras_bert_zh.layers import kernels


@dataclasses.dataclass(frozen=True)
class Drop:
    """Drops the same numbers of a tensor at each call.

    It is not a tuple, because Keras would flatten a tuple in the arguments of a layer.

    Attributes:
        rate: float in [0, 1), the share that is dropped.
        dtype: str, the dtype to which tensors are cast first, as in calls of Keras layers.
        seed: `<int>[2]`; `None` if the rate is 0.
        algorithm: the random number algorithm, by its name in TensorFlow. It is kept because the
            gradient may be computed outside XLA while the first computation was inside it.
    """

    rate: float
    dtype: str
    seed: Any = None
    algorithm: str | None = None

    def __call__(self, x: Any) -> Any:
        """Returns `<float>[...]` of the shape of `x`."""
        x = ops.cast(x, self.dtype)
        if self.rate == 0:
            return x
        return kernels.dropout(x, self.rate, self.seed, self.algorithm)

    def of_group(self, index: int) -> "Drop":
        """Returns a different Drop for each index, with a seed far from those drawn in a row."""
        if index == 0 or self.rate == 0:
            return self
        offset = ops.cast([index * 1_000_003, 0], self.seed.dtype)
        return dataclasses.replace(self, seed=self.seed + offset)


@keras.saving.register_keras_serializable("keras_bert_zh")
class Dropout(keras.layers.Dropout):
    """Keras's dropout, which can also drop the same numbers twice.

    This is needed for blocks that are computed twice to save memory.

    Args:
        rate: float in [0, 1), the share that is dropped. The attribute of this name can be set.
        **kwargs: `seed`, `name` and `dtype`, as for Keras's.

    Call arguments:
        inputs: `<float>[...]`.
        training: bool, whether anything is dropped.

    Returns:
        `<float>[...]`.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(rate, **kwargs)
        if self.noise_shape is not None:
            raise ValueError(f"Dropout does not support noise_shape, got {self.noise_shape}.")
        self.made_with_rate = self.rate

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate = check_rate("rate", rate)
        # Keras makes one at first, if it is needed then.
        if rate and hasattr(self, "made_with_rate") and not hasattr(self, "seed_generator"):
            self._tracker.unlock()
            self.seed_generator = keras.random.SeedGenerator(self.seed)
            self._tracker.lock()

    def draw(self, training: bool | None) -> Drop:
        """Returns a new Drop at each call; outside training, one that drops nothing."""
        if not training or self.rate == 0:
            return Drop(0.0, self.compute_dtype)
        seed, algorithm = self.seed_generator.next(), kernels.dropout_algorithm()
        return Drop(self.rate, self.compute_dtype, seed, algorithm)

    def call(self, inputs, training=False):
        return self.draw(training)(inputs)
