"""Converts weights of texts and classes to weights of tokens."""

from typing import Any

import numpy as np


def token_weights(
    arguments: dict[str, Any], class_weight: dict[int, float] | None
) -> dict[str, Any]:
    """Returns the arguments of `fit` with weights of tokens as their `sample_weight`.

    Keras would give all tokens of a text the weight of the largest label in it. It would also use
    weights of texts as weights of positions if both have the same number.

    Args:
        arguments: the arguments of `fit` or `evaluate`, with arrays, tensors or a dataset.
        class_weight: dict of the weight of every label, or `None`. Not used in validation.

    Raises:
        ValueError: if `class_weight` is given and the data has another type.
    """
    found = dict(arguments)
    table = None
    if class_weight is not None:
        table = np.array([class_weight[label] for label in range(len(class_weight))], "float32")
    if hasattr(found.get("x"), "element_spec"):
        found["x"] = _weighted_dataset(found["x"], table)
    elif table is not None and "y" not in found:
        raise ValueError(
            "class_weight for tokens works with arrays, lists and tf.data, got "
            f"{type(found['x']).__name__}: make it yield sample_weight instead."
        )
    elif found.get("sample_weight") is not None or (table is not None and "y" in found):
        found["sample_weight"] = _weights(found["y"], found.get("sample_weight"), table)
    validation = found.get("validation_data")
    if isinstance(validation, tuple) and len(validation) == 3:
        x, y, weights = validation
        found["validation_data"] = x, y, _weights(y, weights, None)
    elif hasattr(validation, "element_spec"):
        found["validation_data"] = _weighted_dataset(validation, None)
    return found


def _weights(y: Any, weights: Any, table: np.ndarray | None) -> Any:
    if weights is not None and len(weights.shape) == 1:
        weights = weights[:, None]
    if table is None:
        return weights
    of_classes = _looked_up(table, y)
    return of_classes if weights is None else of_classes * weights


def _looked_up(table: np.ndarray, y: Any) -> Any:
    if isinstance(y, np.ndarray):
        return table[y]
    import tensorflow as tf  # In a dataset on any backend.

    return tf.gather(table, y)


def _weighted_dataset(dataset: Any, table: np.ndarray | None) -> Any:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) < 2 or (table is None and len(spec) < 3):
        return dataset
    return dataset.map(lambda x, y, w=None: (x, y, _weights(y, w, table)))
