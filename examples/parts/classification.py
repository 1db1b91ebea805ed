"""Texts, or pairs of them, and one label or several: what the scripts share that classify."""

import argparse
from typing import Any, NamedTuple

from parts import outputs, task
from parts.reviews import Part
from parts.texts import first_rows, table_of

import keras
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from keras_bert_zh import Checkpoint, TextClassifier, read_table
from keras_bert_zh.data.table import Table

MUCH_TEXT = 3_000_000  # Characters.
VALIDATION_ROWS = 600  # Enough for the learning curve; recipes are chosen by all of them.


class Data(NamedTuple):
    """What a classifier learns from and is measured on."""

    names: tuple[str, ...]  # of the labels
    train: Part
    validation: Part
    test: Part

    @property
    def several(self) -> bool:
        return self.train.labels.ndim == 2


def read(options: argparse.Namespace, *, several: bool = False, validation: bool = True) -> Data:
    """Reads the user's files. One in ten rows of --train is for validation, or none."""
    kind = "several" if several else "one"
    train, test = (
        read_table(file, options.text, options.label, label_kind=kind)
        for file in (options.train, options.test)
    )
    train = first_rows(train, options)
    if not any(test.labels):
        raise ValueError(
            f"{options.test}: no row has a label, so nothing can be measured. Pass a file with "
            "labels as --test, and this one as --predict after a model is trained."
        )
    names = train.label_names()
    part = _part(train, names)
    held_out = np.array([validation and task.is_validation(text) for text in train.texts])
    if len(np.unique(part.labels[~held_out], axis=0)) < 2:
        held_out[:] = False  # A few rows.
    return Data(
        names,
        Part(part.texts[~held_out], part.labels[~held_out]),
        Part(part.texts[held_out], part.labels[held_out]),
        _part(test, names),
    )


def _part(table: Table, names: tuple[str, ...]) -> Part:
    return Part(np.array(table.texts, object), table.label_ids(names))


def build(
    checkpoint: Checkpoint, data: Data, options: argparse.Namespace, **arguments: Any
) -> TextClassifier:
    """Returns a classifier that is compiled to learn from the data."""
    model = make(checkpoint, data, options, **arguments)
    model.compile(task.optimizer(options, len(data.train.texts)))
    return model


def make(
    checkpoint: Checkpoint, data: Data, options: argparse.Namespace, **arguments: Any
) -> TextClassifier:
    """Returns a classifier with a fresh head for the labels of the data."""
    kind = "multi_label" if data.several else "single_label"
    with task.errors_end_it():  # A checkpoint that is a classifier has labels of its own.
        return TextClassifier(
            checkpoint,
            data.names,
            problem_type=f"{kind}_classification",
            max_length=options.max_length,
            dtype=task.dtype(options),
            name=options.task,
            **arguments,
        )


def fit(model: TextClassifier, data: Data, options: argparse.Namespace) -> dict[str, list[float]]:
    """Trains the model, and measures it on validation rows after each epoch, if there are any."""
    validation = data.validation.first(VALIDATION_ROWS)
    return task.fit(
        model, data.train, tuple(validation) if len(validation.texts) else None, options
    )


def probabilities(model: TextClassifier, texts: np.ndarray) -> np.ndarray:
    """Returns `<float>[rows, labels]`."""
    logits = model.predict(texts, batch_size=64, verbose=0)
    several = model.head.problem_type == "multi_label_classification"
    function = keras.ops.sigmoid if several else keras.ops.softmax
    return keras.ops.convert_to_numpy(function(logits))


def scores(data: Data, found: np.ndarray, longest: int = 4) -> dict[str, float]:
    """Returns how well the model and the baseline do on the test set.

    Args:
        data: the data.
        found: probabilities of the model on the test set.
        longest: how many characters the runs of the baseline have at most.
    """
    if data.several:
        name, score, answers = "micro_f1", micro_f1, found > 0.5
    else:
        name, score, answers = "accuracy", accuracy_score, found.argmax(axis=-1)
    baseline = fit_baseline(data.train, longest).predict(data.test.texts)
    return {
        name: float(score(data.test.labels, answers)),
        f"baseline_{name}": float(score(data.test.labels, baseline)),
    }


def micro_f1(labels: np.ndarray, answers: np.ndarray) -> float:
    return f1_score(labels, answers, average="micro", zero_division=0)


def fit_baseline(train: Part, longest: int = 4) -> Pipeline:
    """Returns what a neural network has to beat: runs of characters, weighed, summed.

    Args:
        train: what it learns from.
        longest: how many characters a run has at most. 2 is better for long texts, and is taken
            for much text, which has too many longer ones.
    """
    if sum(map(len, train.texts)) > MUCH_TEXT:
        longest = min(longest, 2)
    fewest = 2 if len(train.texts) > 100 else 1  # Texts that a run must be in.
    weigh = TfidfVectorizer(analyzer="char", ngram_range=(1, longest), min_df=fewest)
    learner = LogisticRegression(C=10, max_iter=1000)
    if train.labels.ndim == 2 or len(set(train.labels.tolist())) > 2:
        # Label by label, which is many times faster.
        learner = OneVsRestClassifier(LogisticRegression(C=10, solver="liblinear", dual=True))
    return make_pipeline(weigh, learner).fit(*train)


def predict(options: argparse.Namespace, characters: int | None = None) -> None:
    """Prints the texts of `--predict` with their labels, by the model in `--output`.

    Args:
        options: what `task.parse` returned.
        characters: how much of each text is read, or all.
    """
    model = outputs.saved_model(options)
    with task.errors_end_it():
        texts = table_of(options.predict, options).texts
    found = probabilities(model, np.array([text[:characters] for text in texts], object))
    if model.head.problem_type == "multi_label_classification":
        chosen = [np.flatnonzero(row > 0.5) for row in found]
    else:
        chosen = [[row.argmax()] for row in found]
    task.print_rows(
        ("text", "label", "probability"),
        (
            (
                text,
                ",".join(model.labels[place] for place in places),
                ",".join(f"{row[place]:.4f}" for place in places),
            )
            for text, row, places in zip(texts, found, chosen, strict=True)
        ),
    )
