"""What an engine is."""

import abc
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_bert_zh.export.description import Description


class Engine(abc.ABC):
    """Computes what an exported model does, in whatever runs its file.

    Attributes:
        takes_texts: bool, whether it takes texts as they are: `text`, or `text_a` and `text_b`.

    Args:
        folder: where the model is.
        description: what it is.
        threads: int, how many threads compute; `None` for as many as the engine takes by itself.
    """

    takes_texts = False

    @abc.abstractmethod
    def __init__(self, folder: pathlib.Path, description: Description, threads: int | None):
        """Loads the model."""

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs, in the order of `description.names`.

        Args:
            inputs: by the names on the left of `description.inputs`, all of them; ids are
                `<int32>[B, S]`, checked, and there is at least one row. Or texts, `<string>[B]`.
        """
