"""Runs exported models in TensorFlow."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  It brings the operators of texts.

from keras_bert_zh.engines.engine import Engine
from keras_bert_zh.heads.saved_model import without_gradients


class TensorFlow(Engine):
    """Runs a SavedModel."""

    takes_texts = True

    def __init__(self, folder, description, threads):
        if threads is not None:
            raise ValueError(
                "TensorFlow sets its threads for the whole process: leave out threads, and call "
                "tf.config.threading.set_intra_op_parallelism_threads before TensorFlow is used."
            )
        with without_gradients():
            self._model = tf.saved_model.load(str(folder))
        self._names = description.names
        of_ids = description.takes != "tensors"
        self._signature = self._model.signatures["tokens" if of_ids else "serving_default"]

    def __call__(self, inputs):
        specs = self._signature.structured_input_signature[1]
        if inputs.keys() == specs.keys():
            given = {name: _tensor(value, specs[name].dtype) for name, value in inputs.items()}
            found = self._signature(**given)
            return [np.asarray(found[name]) for name in self._names]
        texts = tuple(map(tf.convert_to_tensor, inputs.values()))
        outputs = self._model.serve(texts if len(texts) > 1 else texts[0])
        return [np.asarray(value) for value in keras.tree.flatten(outputs)]


def _tensor(value: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    # NumPy makes float64 of a list.
    value = value.astype(dtype.as_numpy_dtype, copy=False) if dtype != tf.string else value
    return tf.convert_to_tensor(value, dtype)
