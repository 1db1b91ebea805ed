"""Runs exported models in LiteRT."""

import threading

from keras_bert_zh.engines.engine import Engine
from keras_bert_zh.export.formats import LITERT
from keras_bert_zh.extras import imported


class LiteRT(Engine):
    """Runs a `model.tflite`."""

    def __init__(self, folder, description, threads):
        interpreter = imported("ai_edge_litert.interpreter", "litert", "This model")
        self._interpreter = interpreter.Interpreter(
            model_path=str(folder / LITERT), num_threads=threads
        )
        self._description = description
        self._call = self._interpreter.get_signature_runner("serving_default")
        # An interpreter has one set of tensors.
        self._lock = threading.Lock()

    def __call__(self, inputs):
        described = self._description
        given = {described.inputs[ours]: value for ours, value in inputs.items()}
        with self._lock:
            found = self._call(**given)
        return [found[name] for name in described.names]
