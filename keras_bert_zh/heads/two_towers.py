"""TwoTowers: encodes pairs of texts with one SentenceEncoder."""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_bert_zh.heads.exported import Exported
from keras_bert_zh.heads.on_text import are_ids
from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
from keras_bert_zh.heads.takes_lists import TakesLists
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.encoder_inputs import check_signature, complete
from keras_bert_zh.messages import says_it_all

_UNEQUAL = "TwoTowers takes columns with the same number of rows"


@keras.saving.register_keras_serializable("keras_bert_zh")
class TwoTowers(Exported, TakesLists, keras.Model):
    """Computes the vectors of pairs of texts to train one `SentenceEncoder` on them.

    It is for losses that compare the texts of a row: `CoSENT`, with a label for each pair, and
    `InBatchNegatives`, without labels. After training, use the SentenceEncoder itself, and save it
    with `save_checkpoint` or `export_model`. It encodes all texts of a batch at once. A model that
    `export` wrote returns the `cosine` of two texts.

    Args:
        sentence_encoder: SentenceEncoder.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: tuple of at least two columns, C, each a valid input of the SentenceEncoder: texts
            `<string>[B]`, or a dict of ids.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, C, D]`, the vectors of the columns, in their order.

    Attributes:
        sentence_encoder: the SentenceEncoder.

    Raises:
        TypeError: if `sentence_encoder` is not a SentenceEncoder.
        ValueError: if there are fewer than two columns, or some of texts and some of ids.

    Example:

    >>> from keras_bert_zh import CoSENT, SentenceEncoder, TwoTowers
    >>> towers = TwoTowers(SentenceEncoder("small", "pooled_output"))
    >>> pairs = (["怎么退货", "怎么退货"], ["如何退换商品", "今天天气很好"])
    >>> towers.compile("adam", CoSENT(), run_eagerly=True)  # Faster for one step.
    >>> history = towers.fit(pairs, [1, 0], verbose=0)
    >>> towers.cosines(pairs).shape
    (2,)

    Reference:
        Reimers and Gurevych, Sentence-BERT, 2019 (https://arxiv.org/abs/1908.10084).
    """

    output_name = "vectors"

    def __init__(self, sentence_encoder: SentenceEncoder, **kwargs: Any):
        if not isinstance(sentence_encoder, SentenceEncoder):
            raise TypeError(
                f"sentence_encoder must be a SentenceEncoder, got {sentence_encoder!r}."
            )
        super().__init__(dtype=sentence_encoder.dtype_policy, **kwargs)
        # Strings are no arrays that Keras could convert.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.sentence_encoder = sentence_encoder
        if not self.trainable:
            sentence_encoder.trainable = False  # Keras set the flag before it was there.
        self.built = True

    @property
    def compute_dtype(self) -> str:
        """The dtype of the vectors."""
        return self.sentence_encoder.compute_dtype

    def build(self, input_shape=None):
        pass  # It has nothing to build but its SentenceEncoder.

    def call(self, inputs, training=None):
        return self._vectors(inputs, lambda rows: self.sentence_encoder(rows, training=training))

    def _vectors(self, inputs, of_rows):
        columns = _columns(inputs)
        if are_ids(columns[0]):
            rows = _joined_ids(columns, self.sentence_encoder.encoder.config)
        else:
            rows = _joined_texts(columns)
        return ops.stack(ops.split(of_rows(rows), len(columns)), axis=1)

    def compute_output_spec(self, inputs, training=None):
        columns = _columns(inputs)
        batch, width = self.sentence_encoder.compute_output_spec(columns[0]).shape
        return keras.KerasTensor((batch, len(columns), width), self.compute_dtype)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if y is None and y_pred is not None:
            if getattr(self.loss, "needs_labels", False):
                raise ValueError(
                    f"{type(self.loss).__name__} needs a label for each pair, got none: pass them "
                    "after the pairs, as in fit(pairs, labels)."
                )
            y = ops.zeros((ops.shape(y_pred)[0],))  # Keras compares nothing with no labels.
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def make_train_function(self, force: bool = False) -> Any:
        """Creates the function that trains on a batch, as in `keras.Model`. Keras calls it.

        Raises:
            ValueError: as in `OnEncoder`.
        """
        kernels.refuse_loss_scaling(self)
        return super().make_train_function(force)

    def cosines(self, pairs: Any, **kwargs: Any) -> np.ndarray:
        """Returns the cosine similarity of the two texts of each pair.

        Args:
            pairs: inputs of `predict`, with two columns.
            **kwargs: arguments of `keras.Model.predict`, such as `batch_size`.

        Returns:
            `<float>[B]`, from -1 to 1.
        """
        vectors = self.predict(pairs, **{"verbose": 0} | kwargs)
        if vectors.shape[1] != 2:
            raise ValueError(f"cosines takes two columns, got {vectors.shape[1]}.")
        return ops.convert_to_numpy(_cosines(vectors))

    def check_strings(self):
        """Raises ValueError unless the model takes texts here."""
        self.sentence_encoder.check_strings()

    def watch(self):
        """Returns a function that warns if texts are cut, or `None`."""
        look = self.sentence_encoder.watch()
        return look and (lambda columns: [look(column) for column in columns])

    def signature(self):
        takes = self.sentence_encoder.signature()
        return tuple(_named(takes, name) for name in ("a", "b"))

    def of_ids(self, inputs):
        # Of one text a row, the vector.
        return self.sentence_encoder.of_ids(inputs) if are_ids(inputs) else super().of_ids(inputs)

    def served(self, of_ids):
        of_rows = self.sentence_encoder.served(of_ids)
        return lambda pairs: self._vectors(pairs, of_rows)

    def endpoints(self, call):
        return {"cosines": lambda pairs: {"cosine": _cosines(call(pairs))}}

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self.sentence_encoder)
        return {"name": self.name, "trainable": self.trainable, "sentence_encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "TwoTowers":
        encoder = keras.saving.deserialize_keras_object(config["sentence_encoder"], custom_objects)
        return cls(**{**config, "sentence_encoder": encoder})


@says_it_all
def _columns(inputs):
    # Keras makes lists of tuples when it loads a model.
    tensors = isinstance(inputs, list) and any(hasattr(column, "dtype") for column in inputs)
    dicts = isinstance(inputs, list) and any(isinstance(column, dict) for column in inputs)
    if not (isinstance(inputs, tuple) or tensors or dicts) or len(inputs) < 2:
        raise ValueError(
            "TwoTowers takes a tuple of two or more columns, each with a text for every row, such "
            f"as (texts, others); got {type(inputs).__name__}."
        )
    if len(set(map(are_ids, inputs))) > 1:
        raise ValueError("TwoTowers takes columns of texts or columns of ids, got some of each.")
    return list(inputs)


def _cosines(vectors):
    first, second = ops.unstack(ops.normalize(vectors, axis=-1), 2, axis=1)
    return ops.sum(first * second, axis=-1)


@says_it_all
def _joined_texts(columns):
    """Returns all rows of the first column, then all of the second, and so on."""
    import tensorflow as tf

    from keras_bert_zh.text.inputs import to_texts  # It imports TensorFlow.

    texts = [to_texts(column) for column in columns]
    if any(column.second is not None for column in texts):
        raise ValueError("TwoTowers takes columns of single texts, got a column of pairs.")
    _check_rows([ops.shape(column.first)[0] for column in texts])
    return tf.concat([column.first for column in texts], axis=0)


def _check_rows(counts):
    """Raises unless all columns have the same number of rows, at run time in some graphs."""
    known = [count for count in counts if isinstance(count, int)]
    if len(set(known)) > 1:
        raise ValueError(_UNEQUAL + f", got columns of {', '.join(map(str, known))} rows.")
    if len(known) < len(counts):
        import tensorflow as tf

        for count in counts[1:]:
            tf.debugging.assert_equal(count, counts[0], message=f"{_UNEQUAL}.")


@says_it_all
def _joined_ids(columns, config):
    """Returns ids in the order of `_joined_texts`, padded to the longest column."""
    for column in columns:
        check_signature(column, config.input_sizes, config.max_position_embeddings)
    columns = [complete(column, config.input_sizes) for column in columns]
    _check_rows([ops.shape(column["input_ids"])[0] for column in columns])
    lengths = [ops.shape(column["input_ids"])[1] for column in columns]
    # JAX pads by numbers that are known, which these always are there.
    known = all(isinstance(length, int) for length in lengths)
    longest = max(lengths) if known else functools.reduce(ops.maximum, lengths)

    def padded(ids, length):
        return ids if length is longest else ops.pad(ids, [[0, 0], [0, longest - length]])

    return {
        key: ops.concatenate(
            [padded(c[key], length) for c, length in zip(columns, lengths, strict=True)]
        )
        for key in config.input_sizes
    }


def _named(takes, suffix):
    def named(spec):
        name = f"{spec.name}_{suffix}"
        return keras.InputSpec(spec.dtype, spec.shape, name=name)

    return keras.tree.map_structure(named, takes)
