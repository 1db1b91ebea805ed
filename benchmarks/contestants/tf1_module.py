"""The TF1 Hub module through `hub.load`; imported in a process of its own."""

import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

from benchmarks.contestants.encoder import Encoder
from benchmarks.workloads import TF1_MODULE


class Module(Encoder):
    """The signature `tokens` of a loaded module."""

    def __init__(self, place: str):
        super().__init__()
        # The module owns the variables of its signatures.
        self._module = hub.load(str(pathlib.Path(place, TF1_MODULE)))
        self._tokens = self._module.signatures["tokens"]
        self.ways = {way: self._caller(f"{way}_output") for way in ("pooled", "sequence")}

    def _caller(self, output: str):
        def call(inputs: dict[str, np.ndarray]) -> np.ndarray:
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            return self._tokens(**tensors)[output].numpy()

        return call
