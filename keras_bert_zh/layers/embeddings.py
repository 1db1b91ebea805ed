"""Turns token ids into the first hidden states."""

import keras
from keras import ops

from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.embedding_table import EmbeddingTable
from keras_bert_zh.layers.fresh_weights import fresh_weights
from keras_bert_zh.layers.normalization import LayerNorm


@keras.saving.register_keras_serializable("keras_bert_zh")
class BertEmbeddings(Composite, keras.layers.Layer):
    """Sums word, position and segment embeddings, then applies normalisation and dropout.

    ERNIE also has task embeddings. ELECTRA's embeddings may be narrower than the hidden states and
    are followed by a dense layer.

    Args:
        vocab_size: int, rows of the word table.
        max_positions: int, rows of the position table.
        type_vocab_size: int, rows of the segment table.
        hidden_size: int, D.
        task_type_vocab_size: int, rows of the task table; 0 for none.
        embedding_size: int, width of the tables if a dense layer follows; `None` for D.
        dropout: float, rate after the normalisation.
        epsilon: float, added to the variance in the normalisation.
        initializer_range: float, standard deviation of fresh weights.

    Call arguments:
        input_ids: `<int32>[B, S]`, or in the shape of another layout.
        segment_ids: `<int32>` of the same shape.
        positions: `<int32>`, the position of each token in its row; `None` for `[0, S)`.
        task_type_ids: `<int32>` of the shape of `input_ids`, if there is a task table; `None`
            for all zeros.

    Returns:
        `<float>[B, S, D]` in the compute dtype, or in the shape of that layout.

    Reference:
        `embedding_lookup` and `embedding_postprocessor` in google-research/bert `modeling.py`;
        `ErnieEmbeddings` and `ElectraModel` in Hugging Face Transformers.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        max_positions: int,
        type_vocab_size: int,
        hidden_size: int,
        task_type_vocab_size: int = 0,
        embedding_size: int | None = None,
        dropout: float = 0.1,
        epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width = embedding_size or hidden_size

        def table(rows: int, name: str) -> EmbeddingTable:
            initializer = fresh_weights(initializer_range)
            return EmbeddingTable(
                rows,
                self.width,
                embeddings_initializer=initializer,
                dtype=self.dtype_policy,
                name=name,
            )

        self.word = table(vocab_size, "word")
        self.position = table(max_positions, "position")
        self.segment = table(type_vocab_size, "segment")
        self.task = table(task_type_vocab_size, "task") if task_type_vocab_size else None
        self.norm = LayerNorm(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.projection = None
        if self.width != hidden_size:
            self.projection = Dense(
                hidden_size,
                kernel_initializer=fresh_weights(initializer_range),
                dtype=self.dtype_policy,
                name="projection",
            )
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range

    def build(
        self,
        input_ids_shape=None,
        segment_ids_shape=None,
        positions_shape=None,
        task_type_ids_shape=None,
    ):
        shape = (None, None, self.width)
        with self.restored():
            for table in (self.word, self.position, self.segment, self.task):
                if table is not None:
                    table.build()
            for layer in (self.norm, self.dropout, self.projection):
                if layer is not None:
                    layer.build(shape)

    def call(self, input_ids, segment_ids, positions=None, task_type_ids=None, training=None):
        if positions is None:
            positions = ops.arange(ops.shape(input_ids)[1], dtype="int32")
        hidden = self.word(input_ids) + self.segment(segment_ids) + self.position(positions)
        if self.task is not None:
            tasks = ops.zeros_like(input_ids) if task_type_ids is None else task_type_ids
            hidden += self.task(tasks)
        hidden = self.dropout(self.norm(hidden), training=training)
        return hidden if self.projection is None else self.projection(hidden)

    def compute_output_spec(
        self, input_ids, segment_ids, positions=None, task_type_ids=None, training=None
    ):
        return keras.KerasTensor((*input_ids.shape, self.hidden_size), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.word.input_dim,
            "max_positions": self.position.input_dim,
            "type_vocab_size": self.segment.input_dim,
            "hidden_size": self.hidden_size,
            "task_type_vocab_size": 0 if self.task is None else self.task.input_dim,
            "embedding_size": self.width,
            "dropout": self.dropout.made_with_rate,
            "epsilon": self.norm.epsilon,
            "initializer_range": self.initializer_range,
        }
