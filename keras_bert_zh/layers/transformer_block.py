"""One block of the encoder."""

import operator
from typing import Any

import keras

from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.attention import SelfAttention
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.feed_forward import FeedForward
from keras_bert_zh.layers.normalization import LayerNorm
from keras_bert_zh.layers.token_layout import as_layout


@keras.saving.register_keras_serializable("keras_bert_zh")
class TransformerBlock(Composite, keras.layers.Layer):
    """Self-attention, then feed-forward, each with dropout, a residual sum and normalisation.

    Args:
        num_heads: int, attention heads N.
        hidden_size: int, D.
        intermediate_size: int, inner width of the feed-forward layer.
        activation: `"gelu_tanh"`, `"gelu_erf"` or `"relu"`.
        dropout: float, rate on both outputs.
        attention_dropout: float, rate on the attention probabilities.
        epsilon: float, added to the variance in the normalisations.
        initializer_range: float, standard deviation of fresh weights.
        remat: bool, whether training keeps only the block's input and computes the rest again for
            the gradients, which saves memory and takes more time.

    Call arguments:
        hidden: `<float>[B, S, D]`, or in the shape of the layout.
        layout: `<int32>[B, S]`, the mask, 0 for tokens that are not attended to; or the
            TokenLayout of `hidden`.
        queries: the Tokens to compute, such as `layout.first_tokens()`; `None` for all.
        training: bool, whether dropout is active.

    Returns:
        `<float>` of the shape of `hidden`; `<float>[B, D]` for the first tokens.

    Reference:
        `transformer_model` in google-research/bert `modeling.py`.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        hidden_size: int,
        intermediate_size: int,
        activation: str = "gelu_tanh",
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        remat: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        shared: dict[str, Any] = {
            "hidden_size": hidden_size,
            "initializer_range": initializer_range,
        }
        dtype = self.dtype_policy
        self.attention = SelfAttention(
            num_heads=num_heads, dropout=attention_dropout, dtype=dtype, name="attention", **shared
        )
        self.attention_norm = LayerNorm(epsilon=epsilon, dtype=dtype, name="attention_norm")
        self.feed_forward = FeedForward(
            intermediate_size=intermediate_size,
            activation=activation,
            dtype=dtype,
            name="feed_forward",
            **shared,
        )
        self.feed_forward_norm = LayerNorm(epsilon=epsilon, dtype=dtype, name="feed_forward_norm")
        self.dropout = Dropout(dropout, dtype=dtype, name="dropout")
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range
        self.remat = remat

    def build(self, hidden_shape=None, layout_shape=None):
        shape = (None, None, self.hidden_size)
        with self.restored():
            self.attention.build(shape)
            self.attention_norm.build(shape)
            self.feed_forward.build(shape)
            self.feed_forward_norm.build(shape)
            self.dropout.build(shape)

    def call(self, hidden, layout, queries=None, training=None):
        layout = as_layout(layout, self.attention.num_heads)
        queries = layout if queries is None else queries
        # Drawn outside of what is computed again, which would draw others.
        layers = (self.attention.dropout, self.dropout, self.dropout)
        drops = [layer.draw(training) for layer in layers]
        # Not `ops.add`, which takes rows without tokens for a bias.
        add = kernels.add_in_training if training else operator.add

        def compute(hidden):
            attended = self.attention(
                hidden, layout=layout, queries=queries, drop=drops[0], training=training
            )
            hidden = self.attention_norm(add(queries.pick(hidden), drops[1](attended)))
            # What is computed again keeps nothing, and is computed as outside of training.
            fed = self.feed_forward(hidden, training=training and not self.remat)
            return self.feed_forward_norm(add(hidden, drops[2](fed)))

        return (keras.remat(compute) if self.remat and training else compute)(hidden)

    def compute_output_spec(self, hidden, layout, queries=None, training=None):
        return self.attention.compute_output_spec(hidden, layout, queries)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.attention.num_heads,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.feed_forward.intermediate_size,
            "activation": self.feed_forward.activation,
            "dropout": self.dropout.made_with_rate,
            "attention_dropout": self.attention.dropout.made_with_rate,
            "epsilon": self.attention_norm.epsilon,
            "initializer_range": self.initializer_range,
            "remat": self.remat,
        }
