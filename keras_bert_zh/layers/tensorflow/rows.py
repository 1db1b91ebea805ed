"""Rows of a table, with a dense gradient."""

import tensorflow as tf


def rows(table: tf.Tensor | tf.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a table. The gradient is one tensor, summed over all positions of an id.

    Args:
        table: `<float>[V, D]`.
        ids: `<int32>[...]`, each in `[0, V)`.

    Returns:
        `<float>[..., D]`.
    """

    @tf.custom_gradient
    def gather(table):
        def gradient(upstream):
            flat = tf.reshape(upstream, (-1, table.shape[1]))
            return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), table.shape[0])

        return tf.gather(table, ids), gradient

    # Not a variable, whose gradient would be left to TensorFlow.
    return gather(tf.convert_to_tensor(table))
