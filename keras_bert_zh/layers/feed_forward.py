"""Two dense layers that are applied to each token separately."""

import keras

from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.fresh_weights import fresh_weights


def _relu(x, *, training=False):
    return keras.ops.relu(x)


# They take `x` and `training`, whether gradients will be needed.
ACTIVATIONS = {"gelu_tanh": kernels.gelu_tanh, "gelu_erf": kernels.gelu_erf, "relu": _relu}


@keras.saving.register_keras_serializable("keras_bert_zh")
class FeedForward(Composite, keras.layers.Layer):
    """Widens the hidden states, applies the activation and narrows them again.

    Args:
        intermediate_size: int, inner width.
        hidden_size: int, D.
        activation: `"gelu_tanh"`, `"gelu_erf"` or `"relu"`.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        hidden: `<float>[..., D]`.
        training: bool, whether gradients will be needed.

    Returns:
        `<float>[..., D]`.

    Reference:
        `transformer_model` in google-research/bert `modeling.py`.
    """

    def __init__(
        self,
        *,
        intermediate_size: int,
        hidden_size: int,
        activation: str = "gelu_tanh",
        initializer_range: float = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)

        def dense(units: int, name: str) -> Dense:
            return Dense(
                units,
                kernel_initializer=fresh_weights(initializer_range),
                dtype=self.dtype_policy,
                name=name,
            )

        self.inner = dense(intermediate_size, "inner")
        self.outer = dense(hidden_size, "outer")
        self.intermediate_size = intermediate_size
        self.hidden_size = hidden_size
        self.activation = activation
        self.initializer_range = initializer_range

    def build(self, hidden_shape=None):
        with self.restored():
            self.inner.build((None, None, self.hidden_size))
            self.outer.build((None, None, self.intermediate_size))

    def call(self, hidden, training=None):
        inner = self.inner(hidden)
        return self.outer(ACTIVATIONS[self.activation](inner, training=bool(training)))

    def compute_output_shape(self, hidden_shape):
        return hidden_shape

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_size": self.intermediate_size,
            "hidden_size": self.hidden_size,
            "activation": self.activation,
            "initializer_range": self.initializer_range,
        }
