"""The student's losses: masked tokens, and the teacher's outputs for the same text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert_zh import MaskedLM
from recipes.small.student import TAUGHT_BLOCK
from recipes.small.teacher import Lesson

# How far from 0 the pooled output is to go, which tanh keeps below 1.
DEVIATION, FARTHEST = 0.4, 0.95


class Scales(NamedTuple):
    """Mean and deviation of the teacher's outputs, `<float>[D]` each."""

    vector_mean: np.ndarray
    vector_deviation: np.ndarray
    hidden_deviation: np.ndarray

    @classmethod
    def measure(cls, lessons: Sequence[Lesson]) -> "Scales":
        vectors = np.concatenate([lesson.vectors.numpy() for lesson in lessons])
        hidden = np.concatenate([lesson.hidden.numpy()[lesson.weights > 0] for lesson in lessons])
        return cls(vectors.mean(axis=0), vectors.std(axis=0), hidden.std(axis=0))


class Losses(NamedTuple):
    """The losses of a batch; for an untrained model, the last two are about 1.

    For a batch without masks, `masked_lm` and `accuracy` are 0.

    Attributes:
        masked_lm: cross entropy of the masked tokens.
        accuracy: the share of them that are predicted correctly.
        pooled: squared distance of the pooled output and the teacher's vector, in variances.
        hidden: squared distance of the hidden states in the middle, in variances.
    """

    masked_lm: tf.Tensor
    accuracy: tf.Tensor
    pooled: tf.Tensor
    hidden: tf.Tensor

    def total(self) -> tf.Tensor:
        """Returns the loss to minimise."""
        return self.masked_lm + 30 * self.pooled + 4 * self.hidden


def losses(student: MaskedLM, example: tuple, lesson: Lesson, scales: Scales) -> Losses:
    """Computes the losses of a batch; `example` is the result of `MaskTokens`.

    The pooled output learns the teacher's vector, each number of it less its mean and in 0.4 of
    its deviation: near 0, spread alike, for whatever is put on top of it.
    """
    inputs, labels, weights = example
    inputs = dict(inputs)
    positions = inputs.pop("mlm_positions")
    outputs = student.encoder(inputs, all_layers=True, training=True)
    table = student.encoder.embeddings.word.embeddings
    logits = tf.cast(student.masked_lm(outputs["sequence_output"], positions, table), tf.float32)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    hits = tf.cast(tf.argmax(logits, -1, labels.dtype) == labels, tf.float32)
    target = DEVIATION * (lesson.vectors - scales.vector_mean) / scales.vector_deviation
    pooled = tf.cast(outputs["pooled_output"], tf.float32)
    pooled -= tf.clip_by_value(target, -FARTHEST, FARTHEST)
    hidden = tf.cast(outputs["encoder_outputs"][TAUGHT_BLOCK], tf.float32)
    hidden = (hidden - lesson.hidden) / scales.hidden_deviation
    return Losses(
        _mean(entropy, weights),
        _mean(hits, weights),
        tf.reduce_mean(tf.square(pooled)) / DEVIATION**2,
        _mean(tf.reduce_mean(tf.square(hidden), axis=-1), lesson.weights),
    )


def _mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
