"""Every token looks at every other."""

import math

import keras
from keras import ops

from keras_bert_zh.layers.fresh_weights import fresh_weights

# What the original adds to the score of a padding position.
MASKED_SCORE = -10000.0


@keras.saving.register_keras_serializable("keras_bert_zh")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention with its output projection; softmax in float32.

    Args:
        num_heads: int, N.
        hidden_size: int, D = N * H.
        dropout: float, rate on the attention probabilities.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        hidden: `<float>[B, S, D]`.
        mask: `<int32>[B, S]`, 0 where nobody looks.

    Returns:
        `<float>[B, S, D]`.

    Reference:
        `attention_layer` in google-research/bert `modeling.py`; Vaswani et al., Attention Is All
        You Need, 2017 (https://arxiv.org/abs/1706.03762).
    """

    def __init__(
        self,
        *,
        num_heads: int,
        hidden_size: int,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)

        def dense(name: str) -> keras.layers.Dense:
            initializer = fresh_weights(initializer_range)
            return keras.layers.Dense(
                hidden_size, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.query, self.key, self.value = dense("query"), dense("key"), dense("value")
        self.projection = dense("projection")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.num_heads = num_heads
        self.hidden_size = hidden_size

    def build(self, hidden_shape=None, mask_shape=None):
        for dense in (self.query, self.key, self.value, self.projection):
            dense.build((None, None, self.hidden_size))
        self.dropout.build((None, self.num_heads, None, None))

    def call(self, hidden, mask, training=None):
        head_size = self.hidden_size // self.num_heads
        # Scaled before the product, which might overflow in float16.
        query = self._split(self.query(hidden)) * (1 / math.sqrt(head_size))
        key, value = self._split(self.key(hidden)), self._split(self.value(hidden))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        probabilities = ops.softmax(self._masked(scores, mask), axis=-1)
        probabilities = ops.cast(probabilities, self.compute_dtype)
        context = ops.matmul(self.dropout(probabilities, training=training), value)
        return self.projection(self._merge(context))

    def _masked(self, scores, mask):
        scores = ops.cast(scores, keras.backend.result_type(self.compute_dtype, "float32"))
        penalty = (1 - ops.cast(mask, scores.dtype)) * MASKED_SCORE
        return scores + ops.expand_dims(penalty, (1, 2))

    def _split(self, hidden):
        """`[B, S, D]` -> `[B, N, S, H]`."""
        batch, length = ops.shape(hidden)[:2]
        heads = ops.reshape(hidden, (batch, length, self.num_heads, -1))
        return ops.transpose(heads, (0, 2, 1, 3))

    def _merge(self, context):
        """`[B, N, S, H]` -> `[B, S, D]`."""
        batch, _, length, _ = ops.shape(context)
        merged = ops.transpose(context, (0, 2, 1, 3))
        return ops.reshape(merged, (batch, length, self.hidden_size))

    def compute_output_spec(self, hidden, mask, training=None):
        return keras.KerasTensor(hidden.shape, self.compute_dtype)
