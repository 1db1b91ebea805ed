"""Keras Hub's BERT, compiled by XLA; imported in processes of their own."""

import pathlib
import time
from typing import Any

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from benchmarks.contestants.encoder import Encoder
from benchmarks.contestants.keras_step import keras_step
from benchmarks.contestants.training import CLASSES, labels_of, take_steps
from benchmarks.workloads import HUGGINGFACE, Arrays


class KerasHub(Encoder):
    """`BertBackbone` in a `tf.function(jit_compile=True)`, of ids or behind its preprocessor."""

    def __init__(self, place: str, dtype: str, length: int):
        super().__init__()
        backbone, self._preprocess = load(place, dtype, length)

        def encode(output: str):
            return tf.function(
                lambda inputs: tf.cast(backbone(inputs, training=False)[output], tf.float32),
                jit_compile=True,
            )

        pooled = encode("pooled_output")
        from_text = tf.function(lambda texts: pooled(self._preprocess(texts)))
        self._functions = {
            "pooled": (pooled, arguments),
            "sequence": (encode("sequence_output"), arguments),
            "text": (from_text, tf.constant),
        }
        self.ways = {way: self._caller(way) for way in self._functions}

    def _caller(self, way: str):
        function, convert = self._functions[way]
        return lambda inputs: function(convert(inputs)).numpy()

    def trace(self, way: str, inputs: Any) -> dict[str, float]:
        function, convert = self._functions[way]
        start = time.perf_counter()
        function.get_concrete_function(convert(inputs))
        return {"trace": time.perf_counter() - start}

    def prepare(self, way: str, case: str, inputs: Any) -> tuple[dict[str, float], np.ndarray]:
        phases, output = super().prepare(way, case, inputs)
        phases["compile"] = phases["first call"] - phases["second call"]
        return phases, output

    def tokens(self, texts: list[str]) -> np.ndarray:
        return np.asarray(self._preprocess(tf.constant(texts))["token_ids"])


class Training:
    """A classifier on `BertBackbone`, compiled by XLA and trained by `train_on_batch`."""

    def __init__(self, place: str, dtype: str):
        self._arguments = (place, dtype)

    def run(self, inputs: Arrays, steps: int) -> dict[str, Any]:
        return take_steps(lambda: self._make(inputs), steps)

    def _make(self, inputs: Arrays):
        place, dtype = self._arguments
        backbone, _ = load(place, dtype, inputs["input_ids"].shape[1])
        logits = keras.layers.Dense(CLASSES, dtype=dtype)(backbone.output["pooled_output"])
        model = keras.Model(backbone.input, logits)
        arrays = {name: tensor.numpy() for name, tensor in arguments(inputs).items()}
        return keras_step(model, arrays, labels_of(inputs), jit_compile=True)


def load(place: str, dtype: str, length: int):
    """Returns backbone and preprocessor, by Keras Hub's own conversion of the checkpoint."""
    folder = str(pathlib.Path(place, HUGGINGFACE))
    backbone = keras_hub.models.BertBackbone.from_preset(folder, dtype=dtype)
    tokenizer = keras_hub.models.BertTokenizer.from_preset(folder)
    preprocess = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=length)
    return backbone, preprocess


def arguments(inputs: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {
        "token_ids": tf.constant(inputs["input_ids"]),
        "padding_mask": tf.constant(inputs["input_mask"]),
        "segment_ids": tf.constant(inputs["segment_ids"]),
    }
