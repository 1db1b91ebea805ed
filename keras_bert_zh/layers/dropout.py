"""Dropout whose random numbers can be drawn again."""

import dataclasses
from typing import Any

import keras
from keras import ops


@dataclasses.dataclass(frozen=True)
class Draw:
    """What decides which numbers are dropped.

    Not a tuple, which Keras would take apart among a layer's arguments.

    Attributes:
        seed: `<int>[2]`.
        algorithm: what makes random numbers of it, as TensorFlow names it. It is part of the draw,
            since a gradient that draws again may be traced outside of the XLA that compiled the
            first time.
    """

    seed: Any
    algorithm: str | None = None

    def of_group(self, index: int) -> "Draw":
        """Returns another draw for each index, far from those that are drawn in a row."""
        if index == 0:
            return self
        offset = ops.cast([index * 1_000_003, 0], self.seed.dtype)
        return dataclasses.replace(self, seed=self.seed + offset)


@keras.saving.register_keras_serializable("keras_bert_zh")
class Dropout(keras.layers.Dropout):
    """Keras's dropout, which also takes what it draws.

    A block that is computed twice, to save memory, must drop the same numbers twice.

    Args:
        rate: float in [0, 1), the share that is dropped. The attribute of this name can be set.
        **kwargs: `seed`, `name` and `dtype`, as for Keras's.

    Call arguments:
        inputs: `<float>[...]`.
        draw: what `draw` returned; `None` draws.
        training: bool, whether anything is dropped.

    Returns:
        `<float>[...]`.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(rate, **kwargs)
        if self.noise_shape is not None:
            raise ValueError(
                f"Dropout takes a rate in [0, 1) and no noise_shape, got {self.noise_shape}."
            )
        self.made_with_rate = rate

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout takes a rate in [0, 1) and no noise_shape, got {rate}.")
        self._rate = rate
        # Keras makes one at first, if it is needed then.
        if rate and hasattr(self, "made_with_rate") and not hasattr(self, "seed_generator"):
            self._tracker.unlock()
            self.seed_generator = keras.random.SeedGenerator(self.seed)
            self._tracker.lock()

    def draw(self) -> Draw | None:
        """Returns a new draw, which changes the state of the seed generator."""
        if self.rate == 0:
            return None
        if keras.backend.backend() != "tensorflow":
            return Draw(self.seed_generator.next())
        from keras_bert_zh.layers.tensorflow_dropout import algorithm

        return Draw(self.seed_generator.next(), algorithm())

    def call(self, inputs, draw=None, training=False):
        if not training or self.rate == 0:
            return inputs
        draw = self.draw() if draw is None else draw
        if keras.backend.backend() == "tensorflow":
            from keras_bert_zh.layers.tensorflow_dropout import dropout

            return dropout(inputs, self.rate, draw.seed, draw.algorithm)
        return keras.random.dropout(inputs, self.rate, seed=_Drawn(draw.seed))


class _Drawn(keras.random.SeedGenerator):
    """Gives the functions of `keras.random` a seed that is drawn already."""

    def __init__(self, seed: Any):
        self._seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self._seed
