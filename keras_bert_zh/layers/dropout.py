"""Dropout whose random numbers can be drawn again."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("keras_bert_zh")
class Dropout(keras.layers.Dropout):
    """Keras's dropout, which also takes its seed.

    A block that is computed twice, to save memory, must drop the same numbers twice.

    Call arguments:
        inputs: `<float>[...]`.
        seed: what `draw` returned; `None` draws.
        training: bool, whether anything is dropped.

    Returns:
        `<float>[...]`.
    """

    def draw(self) -> Any:
        """Returns a new seed, which changes the state of the seed generator."""
        return self.seed_generator.next() if self.rate > 0 else None

    def call(self, inputs, seed=None, training=False):
        if not training or self.rate == 0:
            return inputs
        seed = self.draw() if seed is None else seed
        if keras.backend.backend() == "tensorflow":
            from keras_bert_zh.layers.tensorflow_dropout import dropout

            return dropout(inputs, self.rate, seed)
        return keras.random.dropout(inputs, self.rate, seed=_Drawn(seed))


class _Drawn(keras.random.SeedGenerator):
    """Gives the functions of `keras.random` a seed that is drawn already."""

    def __init__(self, seed: Any):
        self._seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self._seed
