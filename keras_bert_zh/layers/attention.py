"""Multi-head self-attention."""

import math
from typing import Any

import keras

from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.fresh_weights import fresh_weights
from keras_bert_zh.layers.token_layout import as_layout


@keras.saving.register_keras_serializable("keras_bert_zh")
class SelfAttention(Composite, keras.layers.Layer):
    """Multi-head self-attention with its output projection; softmax sums in float32.

    Args:
        num_heads: int, N.
        hidden_size: int, D = N * H.
        dropout: float, rate on the attention probabilities.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        hidden: `<float>[B, S, D]`, or in the shape of the layout.
        layout: `<int32>[B, S]`, the mask, 0 for tokens that are not attended to; or the
            TokenLayout of `hidden`.
        queries: the Tokens that attend to the others, such as `layout.first_tokens()`; `None` for
            all tokens of the layout.
        drop: the result of `dropout.draw(training)`; `None` draws.
        training: bool, whether dropout is active.

    Returns:
        `<float>` of the shape of `hidden`; `<float>[B, D]` for the first tokens.

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

        def dense(name: str) -> Dense:
            initializer = fresh_weights(initializer_range)
            return Dense(
                hidden_size, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.query, self.key, self.value = dense("query"), dense("key"), dense("value")
        self.projection = dense("projection")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.num_heads = num_heads
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range

    def build(self, hidden_shape=None, layout_shape=None):
        with self.restored():
            for dense in (self.query, self.key, self.value, self.projection):
                dense.build((None, None, self.hidden_size))
            self.dropout.build((None, self.num_heads, None, None))

    def call(self, hidden, layout, queries=None, drop=None, training=None):
        layout = as_layout(layout, self.num_heads)
        queries = layout if queries is None else queries
        drop = self.dropout.draw(training) if drop is None else drop
        query = self._scaled_query(hidden, queries)
        key, value = layout.split(self.key(hidden)), layout.split(self.value(hidden))
        penalties = layout.penalties(self.compute_dtype, queries)
        groups = zip(query, key, value, penalties, strict=True)
        contexts = [
            kernels.attention(*group, drop.of_group(index), training=bool(training))
            for index, group in enumerate(groups)
        ]
        return self.projection(queries.merge(contexts))

    def _scaled_query(self, hidden, queries):
        query = self.query(queries.pick(hidden))
        # Scaled before the product, which might overflow in float16; and before heads are split:
        # TensorFlow 2.21 fuses a scale next to the product, and may mix up the groups.
        return queries.split(query * (1 / math.sqrt(self.hidden_size // self.num_heads)))

    def probabilities(self, hidden: Any, layout: Any) -> Any:
        """Returns the attention probabilities, `<float>[B, N, S, S]`, before dropout.

        They are computed again, because a call does not keep them.

        Args:
            hidden: as for a call.
            layout: as for a call.
        """
        layout = as_layout(layout, self.num_heads)
        query, key = self._scaled_query(hidden, layout), layout.split(self.key(hidden))
        penalties = layout.penalties(self.compute_dtype, layout)
        groups = zip(query, key, penalties, strict=True)
        return layout.scatter_pairs([kernels.probabilities(*group) for group in groups])

    def compute_output_spec(self, hidden, layout, queries=None, drop=None, training=None):
        shape = hidden.shape if queries is None else (hidden.shape[0], hidden.shape[-1])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_size": self.hidden_size,
            "dropout": self.dropout.made_with_rate,
            "initializer_range": self.initializer_range,
        }
