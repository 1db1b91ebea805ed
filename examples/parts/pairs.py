"""Pairs of texts with labels or numbers: the user's files, or headlines and articles."""

import argparse
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from parts import task
from parts.headlines import Headlines, load_headlines
from parts.similarity import by_tfidf, of_rows, threshold
from parts.texts import first_rows

import numpy as np
from scipy.sparse import hstack
from sklearn.linear_model import LogisticRegression

from keras_bert_zh import read_table
from keras_bert_zh.data.table import Table

NAMES = ("other 不是", "own 是")  # Whether a headline is that of the article.


class Pairs(NamedTuple):
    """Two texts and a label, row by row. Without labels, texts belong to those in their rows."""

    texts: np.ndarray
    others: np.ndarray
    labels: np.ndarray | None  # <int>[rows], or <float>[rows] of how similar they are

    def rows(self, chosen: np.ndarray | slice) -> "Pairs":
        return Pairs(*(column[chosen] for column in self))

    @property
    def all_texts(self) -> np.ndarray:
        return np.concatenate([self.texts, self.others])

    @property
    def different_texts(self) -> np.ndarray:
        return np.unique(self.all_texts)


class Data(NamedTuple):
    """What a model learns from and is measured on."""

    names: tuple[str, ...]  # Of the labels; of two, the second one is that of a match.
    train: Pairs
    validation: Pairs
    test: Pairs


def read(options: argparse.Namespace) -> Data:
    """Reads the user's files; one in ten pairs of --train is for validation.

    Of two labels, 1 is that of a match and 0 is not; of others it is told by the words.
    """
    train, test = (
        read_table(file, options.text, options.label, text_b=options.text_b)
        for file in (options.train, options.test)
    )
    train = first_rows(train, options)
    names = train.label_names()
    if len(names) == 2 and names != ("0", "1"):
        given = _pairs(train, names)
        cosines = cosines_of(given, by_tfidf(given.all_texts))
        if cosines[given.labels == 0].mean() > cosines[given.labels == 1].mean():
            names = names[::-1]
        print(f"{names[1]!r} is used as the label of a match: its texts have more in common.")
    given = _pairs(train, names)
    held_out = np.array([task.is_validation(a + b) for a, b in zip(*given[:2], strict=True)])
    if len(set(given.labels[held_out])) < 2:
        held_out = np.ones_like(held_out)  # A few rows, which are for both.
    kept = ~held_out if not held_out.all() else held_out
    return Data(names, given.rows(kept), given.rows(held_out), _pairs(test, names))


def read_numbers(file: pathlib.Path, options: argparse.Namespace) -> Pairs:
    """Reads a file of the user's whose rows have a number: how similar the texts are."""
    table = read_table(
        file, options.text, options.label, text_b=options.text_b, label_kind="number"
    )
    if len(set(table.labels)) < 2:
        raise ValueError(
            f"{file}: expected two or more different numbers in the column {options.label!r}, but "
            f"every row has {table.labels[0]:g}. Name another column, or add rows."
        )
    texts, others = (np.array(column, object) for column in (table.texts, table.texts_b))
    return Pairs(texts, others, np.array(table.labels, "float32"))


def _pairs(table: Table, names: Sequence[str]) -> Pairs:
    texts, others = (np.array(column, object) for column in (table.texts, table.texts_b))
    return Pairs(texts, others, table.label_ids(names))


def of_news(rows: int) -> Data:
    """Returns the articles at hand, each with its own headline and another one."""
    parts = load_headlines(rows)
    return Data(NAMES, *(_of_headlines(parts[part]) for part in ("train", "validation", "test")))


def _of_headlines(part: Headlines) -> Pairs:
    texts = np.repeat(part.articles, 2)
    others = np.stack([part.titles, part.others], axis=1).ravel()
    return Pairs(texts, others, np.tile([1, 0], len(part.titles)))


def cosines_of(pairs: Pairs, embed) -> np.ndarray:
    return of_rows(embed(pairs.texts), embed(pairs.others))


def accuracy_of_cosines(data: Data, embed) -> float:
    """Returns that on the test set, where validation pairs say which cosines are of a match."""
    least = threshold(cosines_of(data.validation, embed), data.validation.labels)
    return float(np.mean((cosines_of(data.test, embed) >= least) == data.test.labels))


def accuracy_of_words(data: Data) -> float:
    """Returns that of a logistic regression on what both texts have, and what one has."""
    embed = by_tfidf(data.train.all_texts)

    def features(pairs):
        first, second = embed(pairs.texts), embed(pairs.others)
        return hstack([first.multiply(second), first - second])

    learner = LogisticRegression(C=10, max_iter=1000)
    learner.fit(features(data.train), data.train.labels)
    return float(learner.score(features(data.test), data.test.labels))
