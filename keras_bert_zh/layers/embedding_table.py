"""Embedding lookup with a dense gradient."""

import keras
from keras import ops

from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.adapted import Adapted


@keras.saving.register_keras_serializable("keras_bert_zh")
class EmbeddingTable(Adapted, keras.layers.Embedding):
    """Keras's embedding, whose gradient on TensorFlow is one tensor of the table's shape.

    TensorFlow's own gradient has one row for each position of a token. Keras's optimisers square
    each of these rows and not their sum, so Adam's second moment is too small for every token that
    occurs more than once in a batch.

    Args:
        input_dim: int, rows of the table.
        output_dim: int, D.
        **kwargs: as for Keras's.

    Call arguments:
        inputs: `<int32>[...]`, each in `[0, input_dim)`.

    Returns:
        `<float>[..., D]`.

    Reference:
        Kingma and Ba, Adam, 2014 (https://arxiv.org/abs/1412.6980), whose gradient is that of the
        whole batch.
    """

    adapted = "embeddings"

    def _base(self):
        return self._embeddings

    def _factors(self):
        return [self.lora_embeddings_a, self.lora_embeddings_b]

    def call(self, inputs):
        if keras.backend.standardize_dtype(inputs.dtype) not in ("int32", "int64"):
            inputs = ops.cast(inputs, "int32")
        rows = kernels.rows(ops.convert_to_tensor(self._embeddings), inputs)
        outputs = ops.cast(rows, self.compute_dtype)
        return self._plus_lora(outputs, inputs)

    def quantized_call(self, inputs):
        # Keras's own sum with LoRA has TensorFlow's gradient.
        enabled, self.lora_enabled = self.lora_enabled, False
        try:
            outputs = super().quantized_call(inputs)
        finally:
            self.lora_enabled = enabled
        return self._plus_lora(outputs, inputs)

    def _plus_lora(self, outputs, inputs):
        if not self.lora_enabled:
            return outputs
        a, b = self._factors()
        product = ops.matmul(kernels.rows(ops.convert_to_tensor(a), inputs), b)
        return outputs + ops.cast(self._scale() * product, outputs.dtype)
