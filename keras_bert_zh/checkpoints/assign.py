"""Puts a checkpoint's weights into a model's variables: all of them, or none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.select import misfits
from keras_bert_zh.checkpoints.tensors import Weights
from keras_bert_zh.files.freed_memory import give_back

# After how many bytes memory is given back: each time costs a few milliseconds.
_OFTEN = 64 << 20


def assign(weights: Mapping[str, np.ndarray], variables: Mapping[str, Any]) -> None:
    """Assigns each array to the variable of the same name.

    Names, shapes and dtypes are compared first: an error leaves every variable as it was.

    Args:
        weights: arrays by name.
        variables: Keras variables, or others with `shape` and `assign`, by name.

    Raises:
        ValueError: if a name is only on one side, a shape differs, or an array is not of floats.
            The message lists every such name.
    """
    if not isinstance(weights, Weights):
        weights = Weights.of_arrays(weights)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    problems = misfits(shapes, weights)
    if problems:
        raise ValueError(
            f"The weights do not fit the model; nothing was assigned. {len(problems)} found:\n  "
            + "\n  ".join(problems)
            + "\nBuild the model with the configuration that the weights come with."
        )
    held = 0
    for name, variable in variables.items():
        array = weights[name]
        variable.assign(_copied_once(array))
        held += array.nbytes
        if held >= _OFTEN:
            give_back()
            held = 0


def _copied_once(array: np.ndarray) -> Any:
    """Returns the array, as a tensor where the conversion that Keras calls would copy it twice."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return array
    import tensorflow as tf

    return tf.raw_ops.Identity(input=array)
