"""Converts the logits of a classifier to names of labels."""

import tensorflow as tf

Found = dict[str, tf.Tensor | tf.RaggedTensor]


def to_label(logits: tf.Tensor, labels: tuple[str, ...]) -> Found:
    """Returns the most probable label, `<string>[B]`, and the probabilities.

    Args:
        logits: `<float>[B, K]`.
        labels: tuple of K str.

    Returns:
        dict of `label <string>[B]`, `score <float32>[B]`, its probability, and
        `probabilities <float32>[B, K]`.
    """
    probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
    return {
        "label": tf.gather(tf.constant(labels), tf.argmax(logits, axis=-1)),
        "score": tf.reduce_max(probabilities, axis=-1),
        "probabilities": probabilities,
    }


def to_labels(logits: tf.Tensor, labels: tuple[str, ...], threshold: float) -> Found:
    """Returns all labels with at least the threshold as their probability, in the given order.

    Args:
        logits: `<float>[B, K]`.
        labels: tuple of K str.
        threshold: float from 0 to 1.

    Returns:
        dict of ragged `label <string>[B, (labels)]` and `score <float32>[B, (labels)]`, and
        `probabilities <float32>[B, K]`.
    """
    probabilities = tf.sigmoid(tf.cast(logits, tf.float32))
    is_there = probabilities >= threshold
    names = tf.broadcast_to(tf.constant(labels), tf.shape(probabilities))
    return {
        "label": tf.ragged.boolean_mask(names, is_there),
        "score": tf.ragged.boolean_mask(probabilities, is_there),
        "probabilities": probabilities,
    }


def to_value(logits: tf.Tensor) -> Found:
    """Returns the value of a regression: `value <float32>[B]`, or `[B, K]` for K outputs."""
    value = tf.cast(logits, tf.float32)
    return {"value": value[:, 0] if value.shape[1] == 1 else value}
