"""The ids that are passed to an exported model, checked in the same way as in the layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_bert_zh.export.description import Description
from keras_bert_zh.export.of_ids import POSITIONS
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.encoder_inputs import check_integers, check_signature, complete
from keras_bert_zh.layers.ranges import raise_outside


def checked_ids(inputs: Any, description: Description) -> dict[str, np.ndarray]:
    """Returns all ids that a model takes, `<int32>[B, S]`, and fills in missing ones.

    Args:
        inputs: dict of arrays, tensors or lists; only `input_ids` is required.
        description: the description of the model.

    Raises:
        ValueError: as in the layers; and if rows do not have the only possible length.
    """
    keys = [name for name in description.sizes if name in description.inputs]
    arrays, positions = inputs, None
    if isinstance(inputs, Mapping):
        arrays = {name: np.asarray(value) for name, value in inputs.items()}
        positions = arrays.pop(POSITIONS, None) if POSITIONS in description.inputs else None
    check_signature(arrays, keys, description.positions)
    length = arrays["input_ids"].shape[1]
    if description.length not in (None, length):
        raise ValueError(
            f"input_ids have length {length}, but this model only takes rows of "
            f"{description.length} tokens, like the Keras model that was exported."
        )
    found = {name: np.asarray(value) for name, value in complete(arrays, keys).items()}
    for name, array in found.items():
        raise_outside(name, array, description.sizes[name])
    if POSITIONS in description.inputs:
        found[POSITIONS] = _positions(positions, found["input_ids"].shape)
    # Not before: a wide integer would wrap around into the range.
    return {name: array.astype("int32", copy=False) for name, array in found.items()}


def _positions(positions: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if positions is None:
        return np.broadcast_to(np.arange(shape[1]), shape)
    check_integers(POSITIONS, positions, "[batch, positions]")
    if positions.ndim != 2 or len(positions) != shape[0]:
        raise ValueError(
            f"{POSITIONS} must have shape [{shape[0]}, positions], got {list(positions.shape)}."
        )
    return np.asarray(kernels.assert_positions(ops.convert_to_tensor(positions), shape[1]))
