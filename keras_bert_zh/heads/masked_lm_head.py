"""The head that predicts the masked tokens."""

import keras
from keras import ops

from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.encoder_inputs import check_integers
from keras_bert_zh.layers.feed_forward import ACTIVATIONS
from keras_bert_zh.layers.fresh_weights import fresh_weights
from keras_bert_zh.layers.normalization import LayerNorm
from keras_bert_zh.messages import says_it_all


@keras.saving.register_keras_serializable("keras_bert_zh")
class MaskedLMHead(Composite, keras.layers.Layer):
    """Scores every token of the vocabulary at some positions of a text.

    It has a dense layer, a normalisation and the product with the word embeddings. The word
    embeddings are not weights of this layer but an argument of each call, so that they are trained
    in both places and saved only once.

    Args:
        vocab_size: int, V.
        hidden_size: int, D.
        activation: `"gelu_tanh"`, `"gelu_erf"` or `"relu"`.
        epsilon: float, added to the variance in the normalisation.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        sequence: `<float>[B, S, D]`, the encoder's sequence output.
        positions: `<int32>[B, P]`, each in `[0, S)`; `None` for all of them, P = S.
        table: `<float>[V, D]`, the encoder's `embeddings.word.embeddings`. In a functional model,
            it would be a constant that is not trained: use `MaskedLM`, which includes the encoder.

    Returns:
        `<float>[B, P, V]`, logits in the compute dtype.

    Raises:
        ValueError: if shapes or dtypes are not as described, the table is a constant of a
            functional model, or, in eager mode, a position is outside the sequence. In a
            TensorFlow graph, such a position raises `tf.errors.InvalidArgumentError`; JAX returns
            NaN for it; XLA does not check it.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import BertConfig, BertEncoder
    >>> from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    >>> encoder = BertEncoder(None, config=config, output_key="sequence_output")
    >>> head = MaskedLMHead(vocab_size=config.vocab_size, hidden_size=32)
    >>> sequence = encoder({"input_ids": np.array([[101, 791, 103, 102]])})
    >>> head(sequence, np.array([[2]]), encoder.embeddings.word.embeddings).shape
    TensorShape([1, 1, 21128])

    Reference:
        `get_masked_lm_output` in google-research/bert `run_pretraining.py`.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        hidden_size: int,
        activation: str = "gelu_tanh",
        epsilon: float = 1e-12,
        initializer_range: float | None = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dense = Dense(
            hidden_size,
            activation=ACTIVATIONS[activation],
            kernel_initializer=fresh_weights(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = LayerNorm(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.activation = activation
        self.initializer_range = initializer_range
        # A model that is read back has to find the weights there before it is called.
        self.build()

    def build(self, sequence_shape=None, positions_shape=None, table_shape=None):
        if self.built:
            return
        with self.restored():
            self.dense.build((None, None, self.hidden_size))
            self.norm.build((None, None, self.hidden_size))
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")

    def call(self, sequence, positions, table):
        self._check_call(sequence, positions, table)
        if positions is not None:
            positions = kernels.assert_positions(positions, ops.shape(sequence)[1])
            sequence = ops.take_along_axis(sequence, ops.expand_dims(positions, -1), axis=1)
        hidden = self.norm(self.dense(sequence))
        return ops.matmul(hidden, ops.transpose(table)) + self.bias

    @says_it_all
    def _check_call(self, sequence, positions, table):
        expected = {
            "sequence": (sequence, (None, None, self.hidden_size)),
            "positions": (positions, (sequence.shape[0], None)),
            "table": (table, (self.vocab_size, self.hidden_size)),
        }
        if positions is None:
            del expected["positions"]
        for name, (tensor, shape) in expected.items():
            fits = len(tensor.shape) == len(shape) and all(
                a == b or None in (a, b) for a, b in zip(tensor.shape, shape, strict=True)
            )
            if not fits:
                raise ValueError(
                    f"{name} must have shape {_text(shape)}, got {_text(tensor.shape)}: the head "
                    "takes the sequence output, the masked positions and the word embeddings."
                )
        if positions is not None:
            check_integers("positions", positions, "[batch, masked]")

    def compute_mask(self, inputs, previous_mask=None):
        # The mask of the sequence says nothing of the positions.
        return None

    def compute_output_spec(self, sequence, positions, table):
        self._check_call(sequence, positions, table)
        if not isinstance(table, keras.KerasTensor):
            raise ValueError(
                "In a functional model, the table of MaskedLMHead would be a constant, so the word "
                "embeddings would not be trained here. Use MaskedLM, which includes the encoder."
            )
        shape = sequence.shape[:2] if positions is None else positions.shape
        return keras.KerasTensor((*shape, self.vocab_size), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "activation": self.activation,
            "epsilon": self.norm.epsilon,
            "initializer_range": self.initializer_range,
        }


def _text(shape) -> str:
    return f"[{', '.join('?' if axis is None else str(axis) for axis in shape)}]"
