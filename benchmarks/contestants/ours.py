"""Ours, and the matrix products that it is made of; imported in processes of their own."""

import pathlib
import statistics
import tempfile
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contestants.encoder import Encoder
from benchmarks.contestants.keras_step import keras_step
from benchmarks.contestants.training import CLASSES, labels_of, take_steps
from benchmarks.workloads import HUGGINGFACE, Arrays
from keras_bert_zh import BertEncoder, BertPreprocess, ExportedModel, export_model

_NAMES = ("input_ids", "input_mask", "segment_ids")


class Ours(Encoder):
    """`BertEncoder`, by every way of calling it."""

    def __init__(self, place: str, dtype: str, length: int):
        super().__init__()
        encoder = BertEncoder(pathlib.Path(place, HUGGINGFACE), dtype=dtype)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in _NAMES}
        self._model = keras.Model(inputs, encoder(inputs))
        self._preprocess = BertPreprocess(None, max_length=length)
        from_text = keras.Sequential([self._preprocess, encoder])
        self._functions = {
            "pooled": tf.function(encoder),
            "sequence": tf.function(lambda x: encoder(x, as_dict=True)["sequence_output"]),
            "text": tf.function(from_text),
        }
        self.ways = {way: self._caller(way) for way in self._functions} | {
            "predict": lambda x: self._model.predict(x, batch_size=len(x["input_ids"]), verbose=0),
            "predict_on_batch": self._model.predict_on_batch,
        }

    def _caller(self, way: str):
        function = self._functions[way]
        return lambda inputs: _to_numpy(function(to_tensors(inputs)))

    def trace(self, way: str, inputs: Any) -> dict[str, float]:
        if way not in self._functions:
            return {}
        return traced(self._functions[way], inputs)

    def tokens(self, texts: list[str]) -> np.ndarray:
        return np.asarray(self._preprocess(texts)["input_ids"])


class Constants(Encoder):
    """`BertEncoder` as a SavedModel, with its weights as constants."""

    def __init__(self, place: str, dtype: str):
        super().__init__()
        encoder = BertEncoder(pathlib.Path(place, HUGGINGFACE), dtype=dtype)
        with tempfile.TemporaryDirectory() as folder:
            exported = ExportedModel(export_model(encoder, f"{folder}/model", "savedmodel"))
        self.ways = {"pooled": lambda inputs: _to_numpy(exported(inputs))}


class Training:
    """A classifier on `BertEncoder`, trained by `train_on_batch`."""

    def __init__(self, place: str, dtype: str, remat: bool):
        self._arguments = (pathlib.Path(place, HUGGINGFACE), dtype, remat)

    def run(self, inputs: Arrays, steps: int) -> dict[str, Any]:
        return take_steps(lambda: self._make(inputs), steps)

    def _make(self, inputs: Arrays):
        folder, dtype, remat = self._arguments
        encoder = BertEncoder(folder, dtype=dtype, remat=remat)
        model = keras.Sequential([encoder, keras.layers.Dense(CLASSES, dtype=dtype)])
        return keras_step(model, inputs, labels_of(inputs))


class Ceiling:
    """How fast TensorFlow multiplies matrices."""

    SHAPES = ((1024, 768, 3072), (1024, 3072, 768), (4096, 4096, 4096))

    def __init__(self, place: str):
        self._functions = {}
        for dtype in ("float32", "bfloat16"):
            for rows, inner, columns in self.SHAPES:
                one = tf.cast(tf.random.normal((rows, inner)), dtype)
                other = tf.Variable(tf.cast(tf.random.normal((inner, columns)), dtype))
                product = tf.function(lambda one, other=other: tf.matmul(one, other))
                work = 2 * rows * inner * columns
                self._functions.setdefault(dtype, []).append((product, one, work))

    def run(self, dtype: str) -> float:
        """Returns floating-point operations a second, of the best shape."""
        return max(self._rate(*product) for product in self._functions[dtype])

    def _rate(self, product, one, work: int) -> float:
        product(one)
        seconds = []
        while sum(seconds) < 0.3:
            start = time.perf_counter()
            # To the host, or the time would be that of starting it.
            product(one)[0, 0].numpy()
            seconds.append(time.perf_counter() - start)
        return work / statistics.median(seconds)


def to_tensors(inputs: Any) -> Any:
    """Returns a tensor of texts, or the dict of tensors of a dict of arrays."""
    if isinstance(inputs, dict):
        return {name: tf.constant(value) for name, value in inputs.items()}
    return tf.constant(inputs)


def traced(function, inputs: Any) -> dict[str, float]:
    start = time.perf_counter()
    function.get_concrete_function(to_tensors(inputs))
    return {"trace": time.perf_counter() - start}


def _to_numpy(tensor: tf.Tensor) -> np.ndarray:
    return tf.cast(tensor, tf.float32).numpy()
