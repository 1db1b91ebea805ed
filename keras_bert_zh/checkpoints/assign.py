"""Puts a checkpoint's weights into a model's variables: all of them, or none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.names import differences

# By name: NumPy does not count bfloat16, which comes from ml_dtypes, among its floats.
_FLOATS = ("float16", "bfloat16", "float32", "float64")


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
    problems = differences(
        {name: tuple(variable.shape) for name, variable in variables.items()},
        {name: tuple(array.shape) for name, array in weights.items()},
    )
    problems += [
        f"not of floats: {name} is {array.dtype}"
        for name, array in weights.items()
        if array.dtype.name not in _FLOATS
    ]
    if problems:
        raise ValueError(
            f"The weights do not fit the model; nothing was assigned. {len(problems)} found:\n  "
            + "\n  ".join(problems)
            + "\nBuild the model with the configuration that the weights come with."
        )
    for name, variable in variables.items():
        variable.assign(weights[name])
