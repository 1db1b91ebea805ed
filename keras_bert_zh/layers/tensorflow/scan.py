"""A loop over the positions of a sequence."""

from collections.abc import Callable

import tensorflow as tf


def scan(
    step: Callable, first: tf.Tensor, arrays: tuple[tf.Tensor, ...], *, reverse: bool = False
) -> tf.Tensor:
    """See `portable.scan`. Keras's own loop needs a known length and has no gradient in XLA."""
    length = tf.shape(arrays[0])[0]
    read = [tf.TensorArray(array.dtype, length).unstack(array) for array in arrays]
    written = tf.TensorArray(first.dtype, length, element_shape=first.shape)
    written = written.write(length - 1 if reverse else 0, first)

    def body(count, value, written):
        place = length - count if reverse else count
        after = step(value, tuple(array.read(place) for array in read))
        after.set_shape(value.shape)
        return count + 1, after, written.write(place - 1 if reverse else place, after)

    # For a gradient in XLA: it makes room for so many steps, and can't for none.
    _, _, written = tf.while_loop(
        lambda count, *_: count < length, body, (1, first, written), maximum_iterations=length
    )
    return written.stack()
