"""The interface of an engine."""

import abc
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_bert_zh.export.description import Description


class Engine(abc.ABC):
    """Computes the outputs of an exported model in the runtime for its format.

    Attributes:
        takes_texts: bool, whether it takes texts directly: `text`, or `text_a` and `text_b`.

    Args:
        folder: the folder of the model.
        description: the description of the model.
        threads: int, the number of threads; `None` for the engine's default.
    """

    takes_texts = False

    @abc.abstractmethod
    def __init__(self, folder: pathlib.Path, description: Description, threads: int | None):
        """Loads the model."""

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs, in the order of `description.names`.

        Args:
            inputs: by the keys of `description.inputs`, all of them; ids are
                `<int32>[B, S]`, checked, with at least one row. Or texts, `<string>[B]`.
        """
