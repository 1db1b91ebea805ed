"""The valid ranges of inputs, and the error for values outside them."""

import numpy as np

_MEANINGS = {
    "input_ids": "the encoder's vocabulary; give BertPreprocess the same checkpoint",
    "input_mask": "0 for padding, 1 for tokens",
    "segment_ids": "the encoder's segment types",
    "task_type_ids": "the encoder's task types",
}


def raise_outside(name: str, values: np.ndarray, size: int) -> None:
    """Raises ValueError unless all values are in `[0, size)`."""
    if values.size and not (values.min() >= 0 and values.max() < size):
        worst = values.min() if values.min() < 0 else values.max()
        raise ValueError(f"{range_message(name, size)} {worst}.")


def range_message(name: str, size: int) -> str:
    """Returns the beginning of an error message; the wrong value follows."""
    return f"{name} must be in [0, {size}) ({_MEANINGS[name]}), got"
