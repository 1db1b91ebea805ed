"""Texts and labels in a form from which Keras can make batches."""

import numbers
import re
from typing import Any

import keras
import numpy as np


def check_batch(model: Any, x: Any) -> None:
    """Raises ValueError for a single text, and if there are no texts.

    Args:
        model: the model; errors contain its name.
        x: the inputs from which the model makes batches.
    """
    name = type(model).__name__
    is_pair = isinstance(x, tuple)
    for part in x if is_pair else x.values() if isinstance(x, dict) else (x,):
        shape = getattr(part, "shape", None)
        if isinstance(part, (str, bytes)) or (shape is not None and len(shape) == 0):
            one = "pair, pass ([text], [other])" if is_pair else "text, pass [text]"
            raise ValueError(f"{name} takes a batch. For a single {one}.")
        if (isinstance(part, list) and not part) or (shape is not None and shape[0] == 0):
            raise ValueError(f"{name} got no texts: pass at least one.")


def as_arrays(data: Any) -> Any:
    """Returns texts, ids, labels or weights as Keras takes them: lists become arrays.

    Raises:
        TypeError: for lists that contain something other than numbers, texts, or lists of these.
    """
    if isinstance(data, tuple):
        return tuple(map(as_arrays, data))
    if isinstance(data, dict):
        return {key: as_arrays(value) for key, value in data.items()}
    if isinstance(data, np.ndarray) and data.dtype.kind in "US":
        data = data.tolist()
    if not isinstance(data, list) or any(hasattr(item, "shape") for item in data[:1]):
        return data
    if all(isinstance(item, str) for item in data):
        return np.array(data, dtype=object)
    if all(isinstance(item, (numbers.Number, np.generic)) for item in keras.tree.flatten(data)):
        return np.array(data)
    from keras_bert_zh.text.inputs import to_texts  # It imports TensorFlow.

    return to_texts(data).first


def has_strings(x: Any) -> bool:
    """Tells whether the inputs of a model contain strings."""
    spec = getattr(x, "element_spec", x)  # Of a dataset, in which labels come second.
    if spec is not x and isinstance(spec, tuple):
        spec = spec[0]
    kinds = [str(getattr(part, "dtype", type(part).__name__)) for part in keras.tree.flatten(spec)]
    return any(re.search("str|object|bytes|[<|][US]", kind) for kind in kinds)


def are_texts(x: Any) -> bool:
    """Tells whether these are arrays or tensors of strings, single or in pairs, not a dataset."""
    return has_strings(x) and all(hasattr(part, "shape") for part in keras.tree.flatten(x))
