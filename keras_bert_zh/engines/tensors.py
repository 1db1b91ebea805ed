"""The inputs of an exported model that takes tensors of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_bert_zh.export.description import Description


def named_tensors(inputs: Any, description: Description) -> dict[str, np.ndarray]:
    """Returns arrays by the names of the inputs.

    Args:
        inputs: dict of arrays or tensors by name, a list or tuple of them in the order of the
            model's inputs, or a single one.
        description: the description of the model.

    Raises:
        TypeError: if the names or the number of inputs are wrong.
    """
    names = list(description.inputs)
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    elif isinstance(inputs, (list, tuple)) and len(inputs) == len(names) and _are_arrays(inputs):
        given = dict(zip(names, inputs, strict=True))
    else:
        given = {names[0]: inputs}
    if set(given) != set(names):
        what = sorted(map(str, inputs)) if isinstance(inputs, Mapping) else type(inputs).__name__
        raise TypeError(
            f"This model takes {', '.join(names)}: pass a dict with these names, or a list or "
            f"tuple in this order; got {what}."
        )
    return {name: _array(given[name]) for name in names}


def _are_arrays(inputs: list | tuple) -> bool:
    return all(isinstance(part, (list, tuple)) or np.ndim(part) for part in inputs)


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    # NumPy's own strings are no strings to others.
    array = array.astype(object) if array.dtype.kind in "US" else array
    return array if array.ndim else array[None]
