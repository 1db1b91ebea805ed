"""Every token looks at every other."""

import functools
import math

import keras
from keras import ops

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
        hidden: `<float>[B, S, D]`, or of the shape that the layout has.
        layout: `<int32>[B, S]`, the mask, 0 where nobody looks; or the TokenLayout of `hidden`.
        only_first: bool, whether only the first token of each row looks at the others.
        draw: what `dropout.draw()` gave; `None` draws.

    Returns:
        `<float>` of the shape of `hidden`; `<float>[B, D]` with `only_first`.

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

    def call(self, hidden, layout, only_first=False, draw=None, training=None):
        layout = as_layout(layout, self.num_heads)
        query = self.query(layout.first(hidden) if only_first else hidden)
        # Scaled before the product, which might overflow in float16; and before heads are split:
        # TensorFlow 2.21 fuses a scale next to the product, and may mix up the groups.
        query = query * (1 / math.sqrt(self.hidden_size // self.num_heads))
        queries = (layout.split_first if only_first else layout.split)(query)
        keys, values = layout.split(self.key(hidden)), layout.split(self.value(hidden))
        groups = zip(queries, keys, values, layout.penalties(self.compute_dtype), strict=True)
        draw = self.dropout.draw() if training and draw is None else draw
        attend = self._attend
        if layout.recomputes_attention and training:
            from keras_bert_zh.layers.tensorflow_gradients import attention as attend
        contexts = []
        for index, (query, key, value, penalty) in enumerate(groups):
            drawn = draw and draw.of_group(index)
            drop = functools.partial(self.dropout, draw=drawn, training=training)
            contexts.append(attend(query, key, value, penalty, drop))
        return self.projection((layout.merge_first if only_first else layout.merge)(contexts))

    def _attend(self, query, key, value, penalty, drop):
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        probabilities = ops.softmax(ops.cast(scores, penalty.dtype) + penalty, axis=-1)
        return ops.matmul(drop(ops.cast(probabilities, self.compute_dtype)), value)

    def compute_output_spec(self, hidden, layout, only_first=False, draw=None, training=None):
        shape = (hidden.shape[0], *hidden.shape[-1:]) if only_first else hidden.shape
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_size": self.hidden_size,
            "dropout": self.dropout.made_with_rate,
            "initializer_range": self.initializer_range,
        }
