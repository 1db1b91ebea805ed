"""The functions that compute the layers on any backend, in `keras.ops`."""

import sys
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_bert_zh.input_keys import TEXT_STARTS
from keras_bert_zh.layers.packed_layout import PackedLayout
from keras_bert_zh.layers.ranges import raise_outside
from keras_bert_zh.layers.token_layout import PaddedLayout, TokenLayout


def attention(
    query: Any, key: Any, value: Any, penalty: Any, drop: Callable[[Any], Any], *, training: bool
) -> Any:
    """Attention: the mean of the values for each query, weighted by the attention probabilities.

    Args:
        query: `<float>[B, N, Q, H]`, scaled.
        key, value: `<float>[B, N, S, H]`.
        penalty: `<float>[B, 1, 1 or Q, S]`, added to the scores, in the dtype of the softmax.
        drop: dropout of the probabilities.
        training: bool.

    Returns:
        `<float>[B, N, Q, H]`.
    """
    return ops.matmul(drop(probabilities(query, key, penalty)), value)


def probabilities(query: Any, key: Any, penalty: Any) -> Any:
    """The attention probabilities, `<float>[B, N, Q, S]`; see `attention`."""
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    return ops.cast(ops.softmax(ops.cast(scores, penalty.dtype) + penalty, axis=-1), query.dtype)


def add_in_training(x: Any, y: Any) -> Any:
    """The sum of two tensors of the same shape."""
    return x + y


def gelu_tanh(x: Any, *, training: bool = False) -> Any:
    """GELU in its tanh approximation (https://arxiv.org/abs/1606.08415)."""
    return ops.gelu(x, approximate=True)


def gelu_erf(x: Any, *, training: bool = False) -> Any:
    """GELU by the error function (https://arxiv.org/abs/1606.08415)."""
    return ops.gelu(x, approximate=False)


def layer_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Layer normalisation over the last axis in the dtype of gamma.

    Args:
        x: `<float>[..., D]`.
        gamma, beta: `<float>[D]`, of at least `x`'s precision.
        epsilon: float, added to the variance.

    Returns:
        `<float>[..., D]` of the dtype of `x`.
    """
    wide = ops.cast(x, gamma.dtype)
    return ops.cast(ops.layer_normalization(wide, gamma, beta, -1, epsilon), x.dtype)


def rows(table: Any, ids: Any) -> Any:
    """Rows `<float>[..., D]` of a table `<float>[V, D]`, by ids `<int32>[...]`."""
    return ops.take(table, ids, axis=0)


def dropout(x: Any, rate: float, seed: Any, algorithm: str | None) -> Any:
    """Drops numbers at random and scales the others to keep the mean.

    Args:
        x: `<float>[...]`.
        rate: float in (0, 1), the share that is dropped.
        seed: `<int>[2]`, which together with the algorithm decides what is dropped.
        algorithm: the value that `dropout_algorithm` returned.

    Returns:
        `<float>[...]` of the dtype of `x`.
    """
    return keras.random.dropout(x, rate, seed=_Drawn(seed))


def dropout_algorithm() -> str | None:
    """Returns the random number algorithm for the current device; `None` if there is only one."""
    return None


def scan(
    step: Callable[[Any, tuple[Any, ...]], Any],
    first: Any,
    arrays: tuple[Any, ...],
    *,
    reverse: bool = False,
) -> Any:
    """Computes a value at each position of a sequence from the value at the previous one.

    Args:
        step: computes the next value from the previous value and from the elements of the arrays
            at the later one of the two positions.
        first: `<any>[B, ...]`, the value at the first position.
        arrays: `<any>[S, B, ...]` each; the elements at position 0 are not used.
        reverse: bool, whether to go backwards from the last position, where the value is `first`.

    Returns:
        `<any>[S, B, ...]`, the value at each position.
    """

    def twice(value, here):
        return (after := step(value, here)), after

    arrays = tuple(array[1:] for array in arrays)
    _, others = ops.scan(twice, first, arrays, reverse=reverse)
    parts = [ops.expand_dims(first, 0), others]
    return ops.concatenate(parts[::-1] if reverse else parts)


def unwritten() -> keras.initializers.Initializer:
    """Returns the fastest initializer for weights that will be overwritten."""
    return keras.initializers.Zeros()


def layout_of(inputs: dict[str, Any], num_heads: int, padding_free: bool | None) -> TokenLayout:
    """Returns the layout of rows with these inputs. It reads the mask and `text_starts`."""
    mask, keep = inputs["input_mask"], padding_free is False
    if TEXT_STARTS in inputs:
        return PackedLayout(mask, inputs[TEXT_STARTS], num_heads, keep_padding=keep)
    return PaddedLayout(mask, num_heads, keep_padding=keep)


def compiled(function: Callable[..., Any], layer: keras.layers.Layer) -> Callable[..., Any]:
    """Returns the function unchanged: on other backends, Keras compiles the whole model."""
    return function


def refuse_loss_scaling(model: keras.Model) -> None:
    """Raises ValueError where Keras would scale losses wrongly: under `tf.distribute`."""


def refuse_several_devices(model: keras.Model) -> None:
    """Raises ValueError under `tf.distribute` with several devices."""


def floats_may_stand_in() -> bool:
    """Whether floats are accepted as integers, in a graph that is traced and never run."""
    return False


def assert_values(inputs: dict[str, Any], sizes: dict[str, int], max_length: int) -> dict[str, Any]:
    """Returns the inputs if all values that are known are in `[0, size)`."""
    if not any(map(_is_traced, inputs.values())):
        for name, tensor in inputs.items():
            raise_outside(name, ops.convert_to_numpy(tensor), sizes[name])
    return inputs


def assert_positions(positions: Any, length: Any) -> Any:
    """Returns positions as int32. On JAX, positions outside `[0, length)` will give NaN."""
    positions = ops.cast(positions, "int32")
    return ops.where(positions < 0, length, positions)  # JAX counts from the end.


class _Drawn(keras.random.SeedGenerator):
    """Passes a seed that is already drawn to the functions of `keras.random`."""

    def __init__(self, seed: Any):
        self._seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self._seed


def _is_traced(tensor: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(tensor, jax.core.Tracer)
