"""Vectors of texts and their cosines: what the scripts share that compare texts."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from parts import task

import keras
import numpy as np
from scipy.sparse import issparse
from sklearn.feature_extraction.text import TfidfVectorizer

from keras_bert_zh import Checkpoint, SentenceEncoder

# Of texts `[rows]` vectors of length 1, `[rows, D]`, which may be sparse.
Embed = Callable[[np.ndarray], Any]
AT_ONCE = 500  # Texts that are compared with all others.


def add_pooling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pooling",
        choices=("cls", "mean", "max", "pooled_output"),
        help="how the vector of a text is made (default: as the checkpoint says; if it does not, "
        "pooled_output for small, mean for others)",
    )


def sentence_encoder(
    checkpoint: Checkpoint, options: argparse.Namespace, **arguments: Any
) -> SentenceEncoder:
    """Returns what makes vectors of texts."""
    pooling = options.pooling
    if pooling is None and checkpoint.pooling is None:
        pooling = "pooled_output" if options.checkpoint == "small" else "mean"
    with task.errors_end_it():
        return SentenceEncoder(
            checkpoint,
            pooling,
            max_length=options.max_length,
            dtype=task.dtype(options),
            **arguments,
        )


def by_model(encoder: keras.Model) -> Embed:
    def embed(texts):
        different, places = np.unique(np.array(texts, object), return_inverse=True)
        found = encoder.predict(different, batch_size=64, verbose=0)
        return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))[places]

    return embed


def by_tfidf(texts: np.ndarray) -> Embed:
    """Returns the baseline: characters and pairs of them, weighed by how rare they are."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(texts).transform


def of_rows(first: Any, second: Any) -> np.ndarray:
    """Returns the cosine of each vector with the one in its row, `<float>[rows]`."""
    product = first.multiply(second) if issparse(first) else first * second
    return np.asarray(product.sum(axis=1)).ravel()


def of_all(first: Any, second: Any) -> np.ndarray:
    """Returns the cosine of each vector with each other one, `<float>[rows, others]`."""
    found = first @ second.T
    return found.toarray() if issparse(found) else found


def closest(texts: np.ndarray, vectors: np.ndarray) -> Iterator[tuple[int, float]]:
    """Yields for each text the row of the closest other one, and the cosine of both."""
    for begin in range(0, len(texts), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        close = of_all(vectors[part], vectors)
        close[texts[part, None] == texts] = -1  # Texts themselves, and copies.
        for row in close:
            yield row.argmax(), row.max()


def threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the score from which labels are taken to be 1, with as few errors as can be.

    Args:
        scores: `<float>[rows]`.
        labels: of 0 and 1.
    """
    order = np.argsort(scores, kind="stable")
    ranked, ones = scores[order], labels[order]
    below = np.concatenate([[0], np.cumsum(1 - ones)])  # Zeros that are right, if so many are 0.
    above = np.concatenate([np.cumsum(ones[::-1])[::-1], [0]])
    edges = np.concatenate([[-np.inf], (ranked[:-1] + ranked[1:]) / 2, [np.inf]])
    apart = np.concatenate([[True], ranked[:-1] < ranked[1:], [True]])  # Equal scores stay so.
    return float(edges[np.argmax(np.where(apart, below + above, -1))])
