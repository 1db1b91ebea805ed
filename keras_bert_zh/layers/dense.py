"""A dense layer that keeps its LoRA when it is saved and loaded."""

import keras

from keras_bert_zh.layers.adapted import Adapted


@keras.saving.register_keras_serializable("keras_bert_zh")
class Dense(Adapted, keras.layers.Dense):
    """Keras's dense layer, with the additions of `Adapted`.

    Args:
        units: int.
        **kwargs: as for Keras's.

    Call arguments:
        inputs: `<float>[..., D]`.

    Returns:
        `<float>[..., units]`.
    """

    adapted = "kernel"

    def _base(self):
        return self._kernel

    def _factors(self):
        return [self.lora_kernel_a, self.lora_kernel_b]
