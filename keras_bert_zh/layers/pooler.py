"""Pools the hidden states of a text into one vector."""

import keras

from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.fresh_weights import fresh_weights


@keras.saving.register_keras_serializable("keras_bert_zh")
class Pooler(Composite, keras.layers.Layer):
    """A dense layer with tanh on the first token, `[CLS]`.

    Args:
        hidden_size: int, D.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        first: `<float>[B, D]`, the last hidden states of the first tokens.

    Returns:
        `<float>[B, D]`.

    Attributes:
        rests: bool, whether it is not trained even if `trainable` is set to True.

    Reference:
        `BertModel` in google-research/bert `modeling.py`.
    """

    def __init__(self, *, hidden_size: int, initializer_range: float = 0.02, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(
            hidden_size,
            activation="tanh",
            kernel_initializer=fresh_weights(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self._rests = False
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        # Keras sets it once before anything is there.
        keras.layers.Layer.trainable.fset(self, value and not getattr(self, "_rests", False))

    @property
    def rests(self) -> bool:
        return self._rests

    @rests.setter
    def rests(self, value: bool) -> None:
        self._rests = value
        if value:
            self.trainable = False

    def train(self, trains: bool, *, whole: bool) -> None:
        """Turns its training off, unless the user froze it, or on again.

        Args:
            trains: bool, whether to train it.
            whole: bool, whether the encoder is trainable.
        """
        if trains and self.rests:
            self.rests = False
            self.trainable = whole
        elif not trains and (self.trainable or not whole):
            self.rests = True

    def build(self, first_shape=None):
        with self.restored():
            self.dense.build((None, self.hidden_size))

    def call(self, first):
        return self.dense(first)

    def compute_output_shape(self, first_shape):
        return first_shape

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }
