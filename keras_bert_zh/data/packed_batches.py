"""Batches whose rows hold several texts, for models that need fixed shapes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_bert_zh.arguments import check_int
from keras_bert_zh.data.text_datasets import check_texts
from keras_bert_zh.input_keys import INPUT_KEYS, TEXT_STARTS
from keras_bert_zh.preprocess import BertPreprocess

if TYPE_CHECKING:
    import tensorflow as tf

# The more there are to choose from, the fuller rows get.
_PACKED_AT_ONCE = 1024
_TOKENS_OF_A_TEXT = 16


def batch_packed(
    dataset: "tf.data.Dataset",
    preprocess: BertPreprocess,
    rows: int,
    *,
    texts_per_row: int | None = None,
) -> "tf.data.Dataset":
    """Tokenises texts, and packs several into one row, with almost no padding.

    All batches have the same shape, so XLA compiles the model once for JAX, GPUs and TPUs.
    `BertEncoder` computes each text as if it had a row of its own, and its pooled output has a
    vector for each text. Out of every 1,024 texts, the longest are placed first, each in the first
    row that has room. Rows are in the order of the first text in each, so shuffle `dataset` before
    you call this. Each text has the tokens that `preprocess` gives it. The last batch may have
    rows without texts.

    Labels and weights belong to whole texts. Losses and metrics of Keras ignore places without a
    text because of the Keras mask of the pooled output, which layers such as `Dense` pass on. If a
    layer does not, use the weights with `reduction="mean_with_sample_weight"` and
    `weighted_metrics`.

    Args:
        dataset: `tf.data.Dataset` of single elements, such as `Dataset.from_tensor_slices` makes
            of lists: `text`, `(text, label)` or `(text, label, weight)`, as for `batch_by_length`.
            Labels and weights can be any structure of tensors whose shapes do not vary.
        preprocess: BertPreprocess. Texts are cut at its `max_length` S, which is the length of the
            rows.
        rows: int, R, the number of rows of a batch; if several devices share a batch, a multiple
            of their number.
        texts_per_row: int, T, the largest number of texts in a row. `None`: one for every 16
            tokens, and at least 2.

    Returns:
        `tf.data.Dataset` of `(inputs, label, weight)`, or of `inputs` if there are no labels.
        `inputs` is the dict of `preprocess`, each `<int32>[R, S]`, with `text_starts`,
        `<int32>[R, T]`, the place in its row where each text begins, and S if there is no text.
        Labels and weights are `[R, T, ...]`, with zeros where there is no text. If no weights are
        given, they are `<float32>[R, T]`, 1 for each text.

    Raises:
        TypeError: if `dataset` is not a `tf.data.Dataset`.
        ValueError: if the texts are already batched or are not strings, a label is a string, or
            `rows` or `texts_per_row` is not a positive int.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert_zh import BertPreprocess, batch_packed
    >>> data = tf.data.Dataset.from_tensor_slices((["好" * 10, "好", "很好", "好"], [0, 1, 2, 3]))
    >>> for inputs, labels, weights in batch_packed(data, BertPreprocess(None, max_length=16), 1):
    ...     print(inputs["text_starts"].numpy(), labels.numpy(), weights.numpy())
    [[ 0 12]] [[0 2]] [[1. 1.]]
    [[0 3]] [[1 3]] [[1. 1.]]

    Reference:
        Krell et al., Efficient Sequence Packing without Cross-contamination, 2021
        (https://arxiv.org/abs/2107.02027), where the longest texts come first, too.
    """
    import tensorflow as tf

    has_labels = check_texts(dataset)
    rows, length = check_int("rows", rows, 1), preprocess.max_length
    if texts_per_row is None:
        texts_per_row = max(2, length // _TOKENS_OF_A_TEXT)
    texts_per_row = check_int("texts_per_row", texts_per_row, 1)

    def pack(*elements):
        if not has_labels:
            elements = (elements if len(elements) == 2 else elements[0],)
        texts, *of_texts = elements
        inputs = preprocess(texts)
        lengths = tf.reduce_sum(inputs["input_mask"], 1)
        places, numbers, starts = tf.numpy_function(
            lambda lengths: fill_rows(lengths, length, texts_per_row),
            [lengths],
            [tf.int32] * 3,
            stateful=False,
        )
        places = tf.ensure_shape(places, [None, length])
        found = {name: _picked(tf.reshape(inputs[name], [-1]), places) for name in INPUT_KEYS}
        found[TEXT_STARTS] = tf.ensure_shape(starts, [None, texts_per_row])
        if not has_labels:
            return found
        if len(of_texts) == 1:
            of_texts.append(tf.ones_like(lengths, tf.float32))
        numbers = tf.ensure_shape(numbers, [None, texts_per_row])
        return (found, *tf.nest.map_structure(lambda x: _picked(x, numbers), tuple(of_texts)))

    def complete(*elements):
        inputs, *of_texts = tf.nest.map_structure(lambda x: _with_rows(x, rows), elements)
        starts = inputs[TEXT_STARTS]
        there = tf.reduce_any(inputs["input_mask"] > 0, 1, keepdims=True)
        inputs |= {TEXT_STARTS: tf.where(there, starts, length)}
        return (inputs, *of_texts) if has_labels else inputs

    packed = dataset.batch(_PACKED_AT_ONCE).map(pack, tf.data.AUTOTUNE)
    return packed.unbatch().batch(rows).map(complete)


def fill_rows(lengths: np.ndarray, row_length: int, most: int) -> tuple[np.ndarray, ...]:
    """Chooses a row for each text: from the longest on, the first one that has room.

    Args:
        lengths: `<int>[N]`, tokens of each text.
        row_length: int, S, at least as many.
        most: int, T, how many texts a row may have.

    Returns:
        For each token of the R rows its place among those of all texts, which are S apart,
        `<int32>[R, S]`; for each text of a row its number, `<int32>[R, T]`; both -1 where there is
        none. And where it begins, `<int32>[R, T]`, or S.
    """
    free, held, chosen = np.full(len(lengths), row_length), *np.zeros((2, len(lengths)), int)
    for text in np.argsort(-lengths, kind="stable"):
        row = np.argmax((free >= lengths[text]) & (held < most))
        chosen[text] = row
        free[row] -= lengths[text]
        held[row] += 1
    _, first, chosen = np.unique(chosen, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # Rows come as the first text in each.
    places = np.full((len(first), row_length), -1, np.int32)
    numbers = np.full((len(first), most), -1, np.int32)
    starts = np.full((len(first), most), row_length, np.int32)
    used, held = np.zeros((2, len(first)), int)
    for text, row in enumerate(order[chosen]):
        start, end = used[row], used[row] + lengths[text]
        places[row, start:end] = text * row_length + np.arange(lengths[text])
        numbers[row, held[row]], starts[row, held[row]] = text, start
        used[row] = end
        held[row] += 1
    return places, numbers, starts


def _picked(values: Any, places: Any) -> Any:
    """Returns values `<any>[N, ...]` by their places `<int32>[R, X]`, zeros where one is -1."""
    import tensorflow as tf

    picked = tf.gather(values, tf.maximum(places, 0))
    for _ in range(values.shape.rank - 1):
        places = tf.expand_dims(places, -1)
    return tf.where(places >= 0, picked, tf.zeros([], values.dtype))


def _with_rows(values: Any, rows: int) -> Any:
    """Returns values with so many rows, the missing ones zeros."""
    import tensorflow as tf

    # Their number is not made static: on TensorFlow, Keras would count a batch too many at the end
    # of data, of which it knows the size before there is none.
    missing = [[0, rows - tf.shape(values)[0]], *[[0, 0]] * (values.shape.rank - 1)]
    return tf.pad(values, missing)
