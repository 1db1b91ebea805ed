"""Batches of texts of similar length, for models that need fixed shapes."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_bert_zh.arguments import check_flag, check_flag_or_none, check_int, is_int
from keras_bert_zh.data.text_datasets import check_texts
from keras_bert_zh.preprocess import BertPreprocess

if TYPE_CHECKING:
    import tensorflow as tf

# The tokeniser is many times faster on a batch than on one text after the other.
_TOKENIZED_AT_ONCE = 256


def batch_by_length(
    dataset: "tf.data.Dataset",
    preprocess: BertPreprocess,
    batch_size: int,
    *,
    lengths: Sequence[int] | None = None,
    drop_remainder: bool = False,
    labels_per_token: bool | None = None,
) -> "tf.data.Dataset":
    """Tokenises texts, and batches texts of similar length with little padding.

    XLA, which JAX and TPUs use, compiles a model again for each new shape. This function makes at
    most two shapes for each of `lengths`: that of full batches, and that of the last batch. With
    `drop_remainder=True` there is only one, `[batch_size, S]`. Each text has the tokens that
    `preprocess` gives it, and goes into the shortest length that holds them. Texts of one length
    keep their order. A batch is returned as soon as it is full, and the last batches at the end.
    Memory does not grow with the dataset.

    Shuffle `dataset` before you call this. If several hosts each read their own part of the data,
    they would have different lengths in one step: pad batches to `max_length` in this case.

    Args:
        dataset: `tf.data.Dataset` of single elements, such as `Dataset.from_tensor_slices` makes
            of lists: `text`, `(text, label)` or `(text, label, weight)`. A text is `<string>[]`,
            ragged `<string>[(words)]`, or a pair of these as a tuple or as a dict of `text_a` and
            `text_b`. A tuple of two strings is a pair. Labels and weights can be any structure of
            tensors whose shapes do not vary. One label a token is `<int>[max_length]` a text,
            padded, with places for `[CLS]` and `[SEP]`.
        preprocess: BertPreprocess, whose `max_length` cuts the texts.
        batch_size: int, B.
        lengths: the values that S may have, in increasing order, up to `preprocess.max_length`.
            `None`: 16, 32, 64 and so on.
        drop_remainder: bool, whether to leave out the last batch of each length if it is not full.
            To train on every text nevertheless, pass `dataset.shuffle(...).repeat()`, and
            `steps_per_epoch` to `fit`.
        labels_per_token: bool. With `True`, labels and weights whose first axis is
            `preprocess.max_length` have a value for each token, and are cut in the same way as the
            inputs; others are not changed. With `False` they have no value for each token: for
            example, there may happen to be that many classes. Required if there is such a label or
            weight, and more than one of `lengths`.

    Returns:
        `tf.data.Dataset` of batches, in the structure of `dataset`, with the dict of `preprocess`
        in place of the text, each of its tensors `<int32>[B, S]`, and labels and weights of
        tokens `[B, S, ...]`. B is static with `drop_remainder=True`. The number of batches is not
        known before the end of an epoch. Keras then warns that the data ran out, but it has
        trained on all batches.

    Raises:
        TypeError: if `dataset` is not a `tf.data.Dataset`.
        ValueError: if the texts are already batched or are not strings, a label is a string,
            `lengths` do not increase to `preprocess.max_length`, `batch_size` is not a positive
            int, or `labels_per_token` is missing although it is required, or is `True` without
            such a label.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert_zh import BertPreprocess, batch_by_length
    >>> data = tf.data.Dataset.from_tensor_slices((["好" * 30, "好", "很好"], [0, 1, 2]))
    >>> for inputs, labels in batch_by_length(data, BertPreprocess(None, max_length=64), 2):
    ...     print(inputs["input_ids"].shape, labels.numpy())
    (2, 16) [1 2]
    (1, 32) [0]

    Reference:
        `tf.data.Dataset.bucket_by_sequence_length`.
    """
    import tensorflow as tf

    has_labels = check_texts(dataset)
    batch_size = check_int("batch_size", batch_size, 1)
    drop_remainder = check_flag("drop_remainder", drop_remainder)
    labels_per_token = check_flag_or_none("labels_per_token", labels_per_token)
    lengths = _check_lengths(lengths, preprocess.max_length)
    labels = dataset.element_spec[1:] if has_labels else ()
    of_tokens = tf.nest.map_structure(
        lambda label: _has_length(label, preprocess.max_length), labels
    )
    _check_labels(labels, any(tf.nest.flatten(of_tokens)), labels_per_token, lengths)

    def tokenize(*elements):
        if has_labels:
            return (preprocess(elements[0]), *elements[1:])
        return (preprocess(elements if len(elements) == 2 else elements[0]),)

    def index_of_length(inputs, *_):
        return tf.math.count_nonzero(tf.reduce_sum(inputs["input_mask"]) > lengths)

    def batch(index, elements):
        def cut(inputs, *labels):
            length = tf.gather(lengths, index)
            inputs = {name: value[:, :length] for name, value in inputs.items()}
            if labels_per_token:
                labels = tf.nest.map_structure(
                    lambda is_long, label: label[:, :length] if is_long else label,
                    of_tokens,
                    labels,
                )
            return (inputs, *labels) if has_labels else inputs

        return elements.batch(batch_size, drop_remainder=drop_remainder).map(cut)

    tokenized = dataset.batch(_TOKENIZED_AT_ONCE).map(tokenize, tf.data.AUTOTUNE).unbatch()
    return tokenized.group_by_window(index_of_length, batch, window_size=batch_size)


def _check_lengths(lengths: Sequence[int] | None, max_length: int) -> list[int]:
    if lengths is None:
        doubled = (16 << power for power in itertools.count())
        return [*itertools.takewhile(lambda length: length < max_length, doubled), max_length]
    lengths = list(lengths)
    are_ints = all(map(is_int, lengths))
    if not are_ints or lengths[-1:] != [max_length] or sorted({0, *lengths}) != [0, *lengths]:
        raise ValueError(
            f"lengths must be increasing ints from at least 1 to {max_length}, the max_length of "
            f"preprocess, got {lengths}."
        )
    return list(map(int, lengths))


def _has_length(spec: Any, length: int) -> bool:
    return getattr(spec, "shape", ())[:1] == (length,)


def _is_open(spec: Any) -> bool:
    return spec.shape.rank is None or spec.shape[:1] == (None,)


def _check_labels(
    labels: tuple, have_length: bool, labels_per_token: bool | None, lengths: list[int]
) -> None:
    import tensorflow as tf

    longest = lengths[-1]
    if labels_per_token and not have_length:
        raise ValueError(
            f"With labels_per_token=True, a label or weight must have the shape [{longest}] or "
            f"[{longest}, ...], for max_length={longest}, got {labels}. Pad it to that length; if "
            "the dataset does not know the shape, set it with tf.ensure_shape."
        )
    if (
        labels_per_token is None
        and len(lengths) > 1
        and any(map(_is_open, tf.nest.flatten(labels)))
    ):
        raise ValueError(
            f"The length of a label or weight is not known, got {labels}. If it has a value for "
            f"each token, pad it to max_length={longest} and pass labels_per_token=True; if not, "
            "pass labels_per_token=False."
        )
    if labels_per_token is None and have_length and len(lengths) > 1:
        raise ValueError(
            f"The first axis of a label or weight has the length max_length={longest}, got "
            f"{labels}. If it has a value for each token, pass labels_per_token=True to cut it "
            "with the inputs; if not, pass labels_per_token=False."
        )
