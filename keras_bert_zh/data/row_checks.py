"""Errors that name a row, in eager mode and in graphs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def check_rows(is_wrong: "tf.Tensor", message: str, *columns: "tf.Tensor") -> list["tf.Operation"]:
    """Raises if a row is wrong, with the message for the first one that is.

    Args:
        is_wrong: `<bool>[N]`.
        message: with a `{}` for each of the columns.
        columns: tensors `[N]`, whose values in that row go into the message.

    Returns:
        In a graph, what must run before the rows are used; there it raises
        `tf.errors.InvalidArgumentError`.

    Raises:
        ValueError: in eager mode.
    """
    import tensorflow as tf

    with tf.device("CPU"):  # There are strings.
        if tf.executing_eagerly():
            for row in tf.where(is_wrong)[:1, 0].numpy():
                values = [column[row].numpy() for column in columns]
                shown = (v.decode() if isinstance(v, bytes) else v for v in values)
                raise ValueError(message.format(*shown))
            return []
        row = tf.where(is_wrong)[:1, 0]
        found = [tf.gather(column, row) for column in columns]
        texts = [v if v.dtype == tf.string else tf.strings.as_string(v) for v in found]
        pairs = zip(message.split("{}"), [*texts, ""], strict=True)
        whole = tf.strings.join([part for pair in pairs for part in pair])
        return [tf.debugging.Assert(~tf.reduce_any(is_wrong), [whole])]
