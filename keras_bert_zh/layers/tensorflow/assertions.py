"""Checks at run time on the TensorFlow backend."""

import tensorflow as tf

from keras_bert_zh.layers.ranges import raise_outside, range_message
from keras_bert_zh.messages import says_it_all

_OUTSIDE = "positions must be in [0, length of the sequence); got"


def floats_may_stand_in() -> bool:
    """Whether floats are accepted as integers, in a graph that is traced and never run.

    `fit` on several devices first traces a model outside the devices on the mean of their batches,
    which turns ids into floats. If such a graph is run, `_refuse_floats` raises an error.
    """
    return not tf.executing_eagerly() and tf.distribute.in_cross_replica_context()


def assert_values(
    inputs: dict[str, tf.Tensor], sizes: dict[str, int], max_length: int
) -> dict[str, tf.Tensor]:
    """See `encoder_inputs.check_values`, which casts the result to int32."""
    if tf.executing_eagerly():
        for name, tensor in inputs.items():
            raise_outside(name, tensor.numpy(), sizes[name])
        return inputs
    assertions = [_assert_range(name, tensor, sizes[name]) for name, tensor in inputs.items()]
    assertions += _refuse_floats(inputs)
    shape = tf.shape(inputs["input_ids"])
    fits = shape[1] <= max_length
    message = (
        f"input_ids are longer than the {max_length} positions of the encoder: [batch, length]"
    )
    assertions.append(tf.debugging.Assert(fits, [message, shape]))
    for name, tensor in inputs.items():
        if name != "input_ids":
            same = tf.reduce_all(tf.equal(tf.shape(tensor), shape))
            message = f"{name} must have the shape of input_ids; the two shapes are"
            assertions.append(tf.debugging.Assert(same, [message, tf.shape(tensor), shape]))
    with tf.control_dependencies(assertions):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


@says_it_all
def assert_positions(positions: tf.Tensor, length: int | tf.Tensor) -> tf.Tensor:
    """Returns positions if all are in `[0, length)`, because a gather might read wrong memory.

    Raises:
        ValueError: in eager mode; `tf.errors.InvalidArgumentError` with the same message in a
            graph.
    """
    values = tf.cast(positions, tf.int64)
    inside = tf.reduce_all((values >= 0) & (values < tf.cast(length, tf.int64)))
    if tf.executing_eagerly():
        if not inside:
            given = positions.numpy().tolist()
            raise ValueError(_OUTSIDE + f" {given}, and the length is {length}.")
        return positions
    assertion = tf.debugging.Assert(inside, [_OUTSIDE, positions, "and the length is", length])
    with tf.control_dependencies([assertion, *_refuse_floats({"positions": positions})]):
        return tf.cast(tf.identity(positions), tf.int32)


def _refuse_floats(inputs: dict[str, tf.Tensor]) -> list[tf.Operation]:
    return [
        tf.debugging.Assert(False, [f"{name} must be integers, int32; got {tensor.dtype.name}."])
        for name, tensor in inputs.items()
        if not tensor.dtype.is_integer
    ]


def _assert_range(name: str, tensor: tf.Tensor, size: int) -> tf.Operation:
    # The zero is for an empty batch, whose extremes would be those of the dtype.
    values = tf.pad(tf.reshape(tf.cast(tensor, tf.int64), [-1]), [[0, 1]])
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    worst = tf.where(low < 0, low, high)
    return tf.debugging.Assert((low >= 0) & (high < size), [range_message(name, size), worst])
