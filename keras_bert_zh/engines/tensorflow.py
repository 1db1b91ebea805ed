"""Runs exported models in TensorFlow."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  It brings the operators of texts.

from keras_bert_zh.engines.engine import Engine


class TensorFlow(Engine):
    """Runs a SavedModel."""

    takes_texts = True

    def __init__(self, folder, description, threads):
        if threads is not None:
            raise ValueError(
                "The threads of TensorFlow are those of the process: leave threads out, and call "
                "tf.config.threading.set_intra_op_parallelism_threads before anything is computed."
            )
        self._model = tf.saved_model.load(str(folder))
        self._description = description

    def __call__(self, inputs):
        described = self._description
        given = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        if described.takes != "tensors" and "input_ids" in given:
            found = self._model.signatures["tokens"](**given)
            return [np.asarray(found[name]) for name in described.names]
        parts = tuple(given.values())
        outputs = self._model.serve(parts if len(parts) > 1 else parts[0])
        return [np.asarray(value) for value in keras.tree.flatten(outputs)]
