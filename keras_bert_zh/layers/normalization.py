"""Layer normalisation in few passes over memory."""

import keras
from keras import ops

from keras_bert_zh.layers import kernels


@keras.saving.register_keras_serializable("keras_bert_zh")
class LayerNorm(keras.layers.LayerNormalization):
    """Keras's layer normalisation over the last axis, in float32 or more.

    On TensorFlow it makes fewer passes over memory than Keras's and keeps less for the gradients.

    Args:
        **kwargs: `epsilon`, `name` and `dtype`, as for Keras's.

    Call arguments:
        inputs: `<float>[..., D]`.

    Returns:
        `<float>[..., D]`.

    Reference:
        Ba et al., Layer Normalization, 2016 (https://arxiv.org/abs/1607.06450).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if self.axis not in (-1, [-1]) or not (self.center and self.scale) or self.rms_scaling:
            raise ValueError(
                "LayerNorm normalises the last axis only, with gamma and beta: leave axis, center, "
                "scale and rms_scaling out."
            )

    def call(self, inputs):
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        gamma, beta = (ops.cast(weight, dtype) for weight in (self.gamma, self.beta))
        return kernels.layer_norm(ops.cast(inputs, self.compute_dtype), gamma, beta, self.epsilon)
