"""Token ids to the first hidden states."""

import keras
from keras import ops

from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.embedding_table import EmbeddingTable
from keras_bert_zh.layers.fresh_weights import fresh_weights
from keras_bert_zh.layers.normalization import LayerNorm


@keras.saving.register_keras_serializable("keras_bert_zh")
class BertEmbeddings(Composite, keras.layers.Layer):
    """Sums word, position and segment embeddings, then normalises and drops out.

    Args:
        vocab_size: int, rows of the word table.
        max_positions: int, rows of the position table.
        type_vocab_size: int, rows of the segment table.
        hidden_size: int, D.
        dropout: float, rate after the normalisation.
        epsilon: float, added to the variance in the normalisation.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        input_ids: `<int32>[B, S]`, or of another layout's shape.
        segment_ids: `<int32>` of the same shape.
        positions: `<int32>`, the place of each token in its row; `None` for `[0, S)`.

    Returns:
        `<float>[B, S, D]` of the compute dtype, or of that shape.

    Reference:
        `embedding_lookup` and `embedding_postprocessor` in google-research/bert `modeling.py`.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        max_positions: int,
        type_vocab_size: int,
        hidden_size: int,
        dropout: float = 0.1,
        epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)

        def table(rows: int, name: str) -> EmbeddingTable:
            initializer = fresh_weights(initializer_range)
            return EmbeddingTable(
                rows,
                hidden_size,
                embeddings_initializer=initializer,
                dtype=self.dtype_policy,
                name=name,
            )

        self.word = table(vocab_size, "word")
        self.position = table(max_positions, "position")
        self.segment = table(type_vocab_size, "segment")
        self.norm = LayerNorm(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range

    def build(self, input_ids_shape=None, segment_ids_shape=None, positions_shape=None):
        with self.restored():
            for table in (self.word, self.position, self.segment):
                table.build()
            self.norm.build((None, None, self.hidden_size))
            self.dropout.build((None, None, self.hidden_size))

    def call(self, input_ids, segment_ids, positions=None, training=None):
        if positions is None:
            positions = ops.arange(ops.shape(input_ids)[1], dtype="int32")
        hidden = self.word(input_ids) + self.segment(segment_ids) + self.position(positions)
        return self.dropout(self.norm(hidden), training=training)

    def compute_output_spec(self, input_ids, segment_ids, positions=None, training=None):
        return keras.KerasTensor((*input_ids.shape, self.hidden_size), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.word.input_dim,
            "max_positions": self.position.input_dim,
            "type_vocab_size": self.segment.input_dim,
            "hidden_size": self.hidden_size,
            "dropout": self.dropout.made_with_rate,
            "epsilon": self.norm.epsilon,
            "initializer_range": self.initializer_range,
        }
