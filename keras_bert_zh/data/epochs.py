"""Shuffled batches that depend only on their number."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_bert_zh.arguments import check_int
from keras_bert_zh.data.shuffle import shuffled

if TYPE_CHECKING:
    import tensorflow as tf


def shuffled_batches(
    data: Any, batch_size: int, *, seed: int = 0, start: int = 0
) -> "tf.data.Dataset":
    """Returns an endless dataset of shuffled batches that can start at any batch.

    Each epoch has every row once, in a new order. All batches are full: a batch may contain the
    end of one epoch and the beginning of the next. The rows of a batch depend only on its number,
    `batch_size`, `seed` and the number of rows. So a run that was stopped after N batches, in the
    middle of an epoch, continues with `start=N` as if it had never stopped:

        step = state.restore(model)  # The number of batches; state is a TrainingState.
        while step < epochs * an_epoch:
            left = an_epoch - step % an_epoch
            batches = shuffled_batches((texts, labels), 32, start=step).prefetch(2)
            model.fit(batches, steps_per_epoch=left, validation_data=held_out, callbacks=[state])
            step += left

    Args:
        data: texts or ids, or a tuple `(texts, labels)` or `(texts, labels, weights)` as `fit`
            takes them: lists, arrays, tensors, ragged words, in tuples (pairs of texts) and dicts
            (inputs of the encoder). All have one row for each text.
        batch_size: int, B.
        seed: int, the seed of the order of the rows.
        start: int, the number of the first batch.

    Returns:
        `tf.data.Dataset` of batches in the structure of `data`. For `fit`, pass
        `steps_per_epoch` too.

    Raises:
        ValueError: if `batch_size` is not a positive int, `start` is negative, there are no rows,
            or the parts of `data` have different numbers of rows.

    Example:

    >>> from keras_bert_zh import shuffled_batches
    >>> texts, labels = ["很好", "不错", "太差"], [1, 1, 0]
    >>> batches = shuffled_batches((texts, labels), 2)
    >>> [labels.numpy().tolist() for _, labels in batches.take(3)]
    [[0, 1], [1, 1], [1, 0]]
    >>> later = shuffled_batches((texts, labels), 2, start=2)
    >>> next(iter(later))[1].numpy().tolist()
    [1, 0]

    Reference:
        `tf.data.Dataset.shuffle`, which has to read all earlier rows again.
    """
    import tensorflow as tf

    batch_size, seed = check_int("batch_size", batch_size, 1), check_int("seed", seed)
    start = check_int("start", start, 0)
    with tf.device("CPU"):
        data = _map_leaves(_to_tensor, data)
    count = _count_rows(data)

    def rows_of(step: np.ndarray) -> np.ndarray:
        return shuffled(step * batch_size + np.arange(batch_size), count, seed)

    def pick(step: tf.Tensor) -> Any:
        rows = tf.numpy_function(rows_of, [step], tf.int64, stateful=False)
        rows = tf.ensure_shape(rows, [batch_size])
        return _map_leaves(lambda tensor: tf.gather(tensor, rows), data)

    return tf.data.Dataset.counter(start).map(pick)


def _map_leaves(function: Any, data: Any) -> Any:
    """Maps tuples and dicts, and not lists: Python's texts and labels are lists."""
    if isinstance(data, tuple):
        return tuple(_map_leaves(function, part) for part in data)
    if isinstance(data, dict):
        return {key: _map_leaves(function, part) for key, part in data.items()}
    return function(data)


def _to_tensor(values: Any) -> "tf.Tensor | tf.RaggedTensor":
    import tensorflow as tf

    from keras_bert_zh.text.inputs import to_texts

    if tf.is_tensor(values) or isinstance(values, tf.RaggedTensor):
        return values
    if isinstance(values, (str, bytes)):
        return tf.constant(values)  # One text has no rows, and is refused.
    leaves = keras.tree.flatten(values) if isinstance(values, list) else [*np.ravel(values)[:1]]
    if leaves and isinstance(leaves[0], (str, bytes)):
        return to_texts(values).first
    lists = isinstance(values, list) and all(isinstance(value, list) for value in values)
    if lists and len({len(value) for value in values}) > 1:
        return tf.ragged.constant(values)
    return tf.convert_to_tensor(values)


def _count_rows(data: Any) -> int:
    counts: list[int] = []
    _map_leaves(
        lambda tensor: counts.append(int(tensor.shape[0]) if tensor.shape.rank else 0), data
    )
    if not counts or min(counts) == 0:
        raise ValueError("data has no rows: pass a list or an array with at least one text.")
    if len(set(counts)) > 1:
        raise ValueError(
            f"All parts of data must have one row for each text, got {counts} rows. Pass labelled "
            "pairs of texts as ((texts_a, texts_b), labels)."
        )
    return counts[0]
