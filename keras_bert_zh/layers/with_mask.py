"""Tells Keras which positions are padding."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert_zh")
class WithMask(keras.layers.Layer):
    """Attaches a Keras mask to a sequence, for the layers that come after it.

    Call arguments:
        inputs: tuple of the sequence, `<float>[B, S, D]`, and its mask, `<int32>[B, S]`.

    Returns:
        The sequence, unchanged.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        sequence, _ = inputs
        # Keras keeps the mask that a tensor has already.
        return ops.copy(sequence)

    def compute_mask(self, inputs, previous_mask=None):
        return ops.cast(inputs[1], "bool")
