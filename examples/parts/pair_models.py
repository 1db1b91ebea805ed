"""Two models that tell whether texts match: vectors of each, or both texts read at once."""

import argparse
from typing import Any

from parts import task
from parts.pairs import Data, Pairs

import keras
import numpy as np
from keras import ops
from sklearn.linear_model import LogisticRegression

from keras_bert_zh import Checkpoint, CoSENT, SentenceEncoder, TextClassifier, TwoTowers

VALIDATION_ROWS = 500  # Enough for the learning curve.
History = dict[str, list[float]]


def fit_towers(
    encoder: SentenceEncoder, data: Data, options: argparse.Namespace
) -> tuple[keras.Model, History]:
    """Returns a model of cosines, and how it learned.

    Vectors are trained to have higher cosines where texts match. Which cosines are of a match is
    then learned from validation pairs.
    """
    towers = TwoTowers(encoder)
    towers.compile(optimizer=task.optimizer(options, len(data.train.texts)), loss=CoSENT())
    history = task.fit(towers, (data.train[:2], data.train.labels), None, options)
    texts = [keras.Input((), dtype="string", name=name) for name in ("text_a", "text_b")]
    first, second = ops.unstack(ops.normalize(towers(tuple(texts)), axis=-1), 2, axis=1)
    cosine = ops.sum(first * second, axis=-1, keepdims=True)
    head = keras.layers.Dense(2, name="head")
    model = keras.Model(texts, head(cosine), name=options.task)

    cosines = towers.cosines(data.validation[:2], batch_size=64)[:, None]
    learner = LogisticRegression(C=1e3).fit(cosines, data.validation.labels)
    halves = np.array([[-0.5, 0.5]])
    head.set_weights([learner.coef_ * halves, learner.intercept_ * halves[0]])
    return model, history


def fit_cross(
    checkpoint: Checkpoint, data: Data, options: argparse.Namespace
) -> tuple[keras.Model, History]:
    """Returns a classifier of pairs, and how it learned."""
    with task.errors_end_it():  # A checkpoint that is a classifier has labels of its own.
        model = TextClassifier(
            checkpoint,
            data.names,
            max_length=options.max_length,
            dtype=task.dtype(options),
            name=options.task,
        )
    model.takes_pairs = True
    model.compile(optimizer=task.optimizer(options, len(data.train.texts)))
    pair, labels = _with_labels(data.train)
    validation = _with_labels(data.validation.rows(slice(VALIDATION_ROWS)))
    return model, task.fit(model, (pair, labels), validation, options)


def _with_labels(pairs: Pairs) -> tuple[Any, np.ndarray]:
    return (pairs.texts, pairs.others), pairs.labels


def probabilities(model: keras.Model, texts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns `<float>[rows, labels]`."""
    logits = model.predict((texts, others), batch_size=64, verbose=0)
    return ops.convert_to_numpy(ops.softmax(logits))
