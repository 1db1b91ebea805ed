"""Assigns a checkpoint's weights to a model's variables: all of them, or none."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.names import part_of
from keras_bert_zh.checkpoints.select import weight_problems
from keras_bert_zh.checkpoints.tensors import Weights
from keras_bert_zh.files.freed_memory import give_back

# What a warning says about the part that a checkpoint does not have.
_LACKING = {
    "pooler": "the pooler. Its weights are random: train the model before you use pooled_output. "
    "sequence_output is pretrained.",
    "masked_lm": "masked_lm. Its weights are random: train the model before you use mlm_logits.",
    "crf": "the CRF. Until it is trained, it only applies the rules of the label scheme.",
    "span": "question answering. Its weights are random: train the model before you use "
    "start_logits and end_logits.",
    "next_sentence": "next_sentence. Its weights are random: train the model before you use "
    "next_sentence_logits.",
}

# After how many bytes memory is given back: each time costs a few milliseconds.
_OFTEN = 64 << 20


def assign(weights: Mapping[str, np.ndarray], variables: Mapping[str, Any]) -> None:
    """Assigns each array to the variable of the same name.

    Names, shapes and dtypes are checked first. After an error, no variable has changed.

    Args:
        weights: arrays by name.
        variables: Keras variables, or others with `shape` and `assign`, by name.

    Raises:
        ValueError: if a name is only on one side, a shape differs, or an array does not contain
            floats. The message lists every such name.
    """
    if not isinstance(weights, Weights):
        weights = Weights.of_arrays(weights)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    problems = weight_problems(shapes, weights)
    if problems:
        raise ValueError(
            f"The weights do not fit the model; nothing was assigned. {len(problems)} found:\n  "
            + "\n  ".join(problems)
            + "\nBuild the model with the configuration that belongs to the weights."
        )
    held = 0
    for name, variable in variables.items():
        array = weights[name]
        variable.assign(_copied_once(array))
        held += array.nbytes
        if held >= _OFTEN:
            give_back()
            held = 0


def assign_parts(
    checkpoint: Checkpoint, variables: Mapping[str, Any], *, stacklevel: int = 3
) -> None:
    """Assigns the weights that a checkpoint has, and warns about the parts that it does not have.

    Args:
        checkpoint: the checkpoint.
        variables: the model's variables, by name.
        stacklevel: int, the stack level of the warning: where the model is created.

    Raises:
        ValueError: as `assign` does.
    """
    found = checkpoint.parts
    for part in dict.fromkeys(filter(None, map(part_of, variables))):
        if part not in found:
            warn_of_lacking(part, stacklevel=stacklevel + 1)
            variables = {n: v for n, v in variables.items() if part_of(n) != part}
    assign(checkpoint.weights.only(variables), variables)


def warn_of_lacking(part: str, *, stacklevel: int) -> None:
    """Warns that a checkpoint has no weights for one of `names.PARTS`."""
    warnings.warn(f"The checkpoint has no weights for {_LACKING[part]}", stacklevel=stacklevel)


@contextlib.contextmanager
def ignoring_pooler() -> Iterator[None]:
    """Hides the warning about a missing pooler, where none is used or the caller warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The checkpoint has no weights for the pooler")
        yield


def _copied_once(array: np.ndarray) -> Any:
    """Returns the array, as a tensor where the conversion that Keras calls would copy it twice."""
    import keras

    if keras.backend.backend() != "tensorflow":  # Layers choose by `kernels`, which is above this.
        return array
    import tensorflow as tf

    return tf.raw_ops.Identity(input=array)
