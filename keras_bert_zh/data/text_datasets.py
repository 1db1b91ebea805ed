"""Checks of datasets of texts, with or without labels."""

from typing import Any


def check_texts(dataset: Any) -> bool:
    """Returns whether the texts of a dataset have labels.

    Args:
        dataset: `tf.data.Dataset` of single elements: `text`, `(text, label)` or
            `(text, label, weight)`. A tuple of two strings is a pair of texts.

    Raises:
        TypeError: if it is not a `tf.data.Dataset`.
        ValueError: if the texts are already batched or are not strings, or a label is a string.
    """
    import tensorflow as tf

    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(
            f"dataset must be a tf.data.Dataset, got {type(dataset).__name__}. Make one from "
            "lists or arrays with tf.data.Dataset.from_tensor_slices((texts, labels))."
        )
    spec = dataset.element_spec
    is_pair = isinstance(spec, tuple) and len(spec) == 2 and all(map(_is_string, spec))
    has_labels = isinstance(spec, tuple) and not is_pair
    if has_labels and any(map(_is_string, spec[1:])):
        raise ValueError(
            f"A label or weight can't be a string, got elements of {spec}. Pass labelled pairs of "
            "texts as ((text_a, text_b), label)."
        )
    for text in tf.nest.flatten(spec[0] if has_labels else spec):
        rank = 1 if isinstance(text, tf.RaggedTensorSpec) else 0
        if not _is_string(text) or text.shape.rank != rank:
            raise ValueError(
                "The texts of dataset must be single strings or ragged words, in tuples of (text, "
                f"label, weight), got {text}. If dataset is batched, pass dataset.unbatch()."
            )
    return has_labels


def _is_string(spec: Any) -> bool:
    return getattr(spec, "dtype", None) == "string"
