"""The run-time part of `encoder_inputs` on the TensorFlow backend."""

import tensorflow as tf

from keras_bert_zh.layers.encoder_inputs import raise_outside, range_message


def assert_values(
    inputs: dict[str, tf.Tensor], sizes: dict[str, int], max_length: int
) -> dict[str, tf.Tensor]:
    """See `encoder_inputs.check_values`."""
    if tf.executing_eagerly():
        for name, tensor in inputs.items():
            raise_outside(name, tensor.numpy(), sizes[name])
        return inputs
    assertions = [_assert_range(name, tensor, sizes[name]) for name, tensor in inputs.items()]
    shape = tf.shape(inputs["input_ids"])
    fits = shape[1] <= max_length
    message = (
        f"input_ids are longer than the {max_length} positions of the encoder: [batch, length]"
    )
    assertions.append(tf.debugging.Assert(fits, [message, shape]))
    for name in ("input_mask", "segment_ids"):
        same = tf.reduce_all(tf.equal(tf.shape(inputs[name]), shape))
        message = f"{name} must have the shape of input_ids; the two shapes are"
        assertions.append(tf.debugging.Assert(same, [message, tf.shape(inputs[name]), shape]))
    with tf.control_dependencies(assertions):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


def _assert_range(name: str, tensor: tf.Tensor, size: int) -> tf.Operation:
    # The zero is for an empty batch, whose extremes would be those of the dtype.
    values = tf.pad(tf.reshape(tf.cast(tensor, tf.int64), [-1]), [[0, 1]])
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    worst = tf.where(low < 0, low, high)
    return tf.debugging.Assert((low >= 0) & (high < size), [range_message(name, size), worst])
