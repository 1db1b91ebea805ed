"""Checks of an encoder's inputs, before a kernel fails or reads the wrong memory."""

from collections.abc import Collection, Mapping
from typing import Any

import keras
from keras import ops

from keras_bert_zh.input_keys import BESIDE_KEYS, TASK_KEY, TEXT_STARTS
from keras_bert_zh.layers import kernels
from keras_bert_zh.messages import says_it_all


@says_it_all
def check_signature(inputs: Any, keys: Collection[str], max_length: int) -> None:
    """Checks keys, dtypes and shapes; works on symbolic tensors too.

    The additional outputs of the preprocessing, `BESIDE_KEYS`, are ignored.

    Args:
        inputs: the inputs of the encoder.
        keys: the inputs that it takes, in addition to `text_starts`.
        max_length: int, its number of positions.

    Raises:
        ValueError: with the name of the input, what was given and what was expected.
    """
    if not isinstance(inputs, Mapping) or "input_ids" not in inputs:
        given = f"keys {sorted(inputs)}" if isinstance(inputs, Mapping) else type(inputs).__name__
        raise ValueError(
            f"The encoder takes a dict of {', '.join(keys)}, each int32 [batch, sequence]. "
            f"input_ids is required; got {given}."
        )
    inputs = {name: value for name, value in inputs.items() if name not in BESIDE_KEYS}
    unknown = sorted(set(inputs) - {*keys, TEXT_STARTS})
    if unknown:
        raise ValueError(
            f"The encoder takes the inputs {', '.join(keys)}; got {unknown}."
            + f" {TASK_KEY} are for an ERNIE with task types." * (TASK_KEY in unknown)
        )
    for name, tensor in inputs.items():
        axes = "[batch, texts]" if name == TEXT_STARTS else "[batch, sequence]"
        if len(getattr(tensor, "shape", ())) != 2 or hasattr(tensor, "row_splits"):
            raise ValueError(
                f"{name} must have shape {axes}, got {_describe(tensor)}. Add a batch "
                "axis to a single text. For padded rows, call BertPreprocess, not its tokenize."
            )
        if not (name == "input_mask" and _dtype(tensor) == "bool"):
            check_integers(name, tensor, axes)
        _check_shape(name, tensor.shape, inputs["input_ids"].shape)
    length = inputs["input_ids"].shape[1]
    if length == 0:
        raise ValueError("input_ids must have at least one position, got shape [batch, 0].")
    if length is not None and length > max_length:
        raise ValueError(
            f"input_ids have length {length}, but the encoder has {max_length} positions. "
            f"Use BertPreprocess(max_length=...) with at most {max_length}."
        )


@says_it_all
def check_integers(name: str, tensor: Any, axes: str) -> None:
    """Raises ValueError unless a tensor has integers, or floats are accepted in this graph."""
    if _dtype(tensor).startswith(("int", "uint")):
        return
    if "float" in _dtype(tensor) and kernels.floats_may_stand_in():
        return
    raise ValueError(f"{name} must be integers, int32 {axes}; got {_dtype(tensor)}.")


def complete(inputs: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Returns all inputs of these keys: ones for a missing mask, zeros for other missing inputs.

    `text_starts` are returned too, if they are given.
    """
    given = {**inputs, "input_mask": mask_of(inputs)}
    found = {
        key: given[key] if key in given else ops.zeros_like(given["input_ids"]) for key in keys
    }
    return found | ({TEXT_STARTS: given[TEXT_STARTS]} if TEXT_STARTS in given else {})


def mask_of(inputs: Mapping[str, Any]) -> Any:
    """Returns the mask as integers: ones if it is missing."""
    mask = inputs["input_mask"] if "input_mask" in inputs else ops.ones_like(inputs["input_ids"])
    return ops.cast(mask, "int32") if _dtype(mask) == "bool" else mask


@says_it_all
def check_values(inputs: dict[str, Any], sizes: dict[str, int], max_length: int) -> dict[str, Any]:
    """Checks that each input is in `[0, size)` and the sequence is not too long; returns int32.

    In eager mode this raises. In a TensorFlow graph it adds assertions that run on the CPU, where
    kernels would fail or read the wrong memory. XLA and JAX have no assertions and leave them out.

    Raises:
        ValueError: in eager mode; `tf.errors.InvalidArgumentError` with the same message in a
            graph.
    """
    checked = kernels.assert_values({name: inputs[name] for name in sizes}, sizes, max_length)
    # Not before: a wide integer would wrap around into the range.
    return {name: ops.cast(tensor, "int32") for name, tensor in (inputs | checked).items()}


def _dtype(tensor: Any) -> str:
    return keras.backend.standardize_dtype(tensor.dtype)


def _check_shape(name: str, shape, ids_shape) -> None:
    axes = 1 if name == TEXT_STARTS else 2
    if not _compatible(shape[:axes], ids_shape[:axes]):
        what = "the same number of rows as" if name == TEXT_STARTS else "the shape of"
        raise ValueError(
            f"{name} must have {what} input_ids, {_shape(ids_shape)}; got {_shape(shape)}."
        )


def _compatible(shape, other) -> bool:
    return all(a == b or a is None or b is None for a, b in zip(shape, other, strict=True))


def _describe(tensor: Any) -> str:
    shape = getattr(tensor, "shape", None)
    kind = "ragged " if hasattr(tensor, "row_splits") else ""
    return type(tensor).__name__ if shape is None else f"{kind}{_shape(shape)}"


def _shape(shape) -> str:
    return str(list(shape))
