"""The one set of random weights that all encoders have, in the formats that they read.

Imported in a process of its own. The activation is GELU's tanh approximation, that of
google-research/bert: Keras Hub and the TF1 module know no other, so that all compute the same.
"""

import pathlib
from collections.abc import Mapping

import keras
import numpy as np

from benchmarks.workloads import HUGGINGFACE, ORIGINAL, Arrays, draw_reviews
from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, save_checkpoint


class Writer:
    """Writes the weights; the other formats are made of these by those who read them."""

    def __init__(self, place: str, sizes: Mapping[str, int]):
        keras.utils.set_random_seed(0)
        self._config = BertConfig(**sizes)
        encoder = BertEncoder(None, config=self._config)
        _scatter(encoder)
        preprocess = BertPreprocess(None)
        for format in (HUGGINGFACE, ORIGINAL):
            save_checkpoint(encoder, pathlib.Path(place, format), format, preprocess=preprocess)

    def sizes(self) -> dict[str, int]:
        """Returns the fields of the configuration."""
        return self._config.to_dict()

    def review_inputs(self, length: int) -> Arrays:
        """Returns the inputs that the reviews make."""
        inputs = BertPreprocess(None, max_length=length)(draw_reviews())
        return {name: np.asarray(value) for name, value in inputs.items()}


def _scatter(encoder: BertEncoder) -> None:
    """Moves weights from where they all begin: zeros and ones hide mistakes."""
    random = np.random.default_rng(0)
    for name, variable in encoder.named_variables().items():
        if name.endswith((".bias", ".beta", ".gamma")):
            scale = 0.1 if name.endswith(".gamma") else 0.02
            variable.assign(variable.numpy() + random.normal(0, scale, variable.shape))
