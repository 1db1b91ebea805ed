"""Headlines of Chinese news and how the articles begin: which belongs to which.

From the articles in `news.py`, in the same parts. An article is its first 100 characters, without
the headline; those with less than 20 are left out. Beside its own headline each has that of the
nearest other article of its part, by TF-IDF of both:

    train       4,813  what a model learns from
    validation    920  what recipes and thresholds are chosen by
    test          932  what scores are reported on, and nothing else
"""

from typing import NamedTuple

from parts.news import Articles, load_news

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

CHARACTERS, LEAST = 100, 20
AT_ONCE = 500  # Rows that are compared with all others.


class Headlines(NamedTuple):
    """Articles and headlines, row by row; all are arrays of str."""

    articles: np.ndarray
    titles: np.ndarray
    others: np.ndarray  # of the nearest other article

    def first(self, count: int | None) -> "Headlines":
        return Headlines(*(column[:count] for column in self))


def load_headlines(rows: int | None = None) -> dict[str, Headlines]:
    """Returns the headlines of each part.

    Args:
        rows: how many articles of the training part, or all.
    """
    return {
        part: _headlines(articles, rows if part == "train" else None)
        for part, articles in load_news().items()
    }


def nearest(texts: np.ndarray) -> np.ndarray:
    """Returns for each text the row of the nearest other one, by TF-IDF of pairs of characters."""
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(2, 2)).fit_transform(texts)
    found = []
    for begin in range(0, len(texts), AT_ONCE):
        close = (vectors[begin : begin + AT_ONCE] @ vectors.T).toarray()
        close[np.arange(len(close)), begin + np.arange(len(close))] = -1
        found.append(close.argmax(axis=1))
    return np.concatenate(found)


def _headlines(articles: Articles, rows: int | None = None) -> Headlines:
    texts = [
        content.replace(title, " ").strip()[:CHARACTERS]
        for title, content in zip(articles.titles, articles.contents, strict=True)
    ]
    kept = [row for row, text in enumerate(texts) if len(text) >= LEAST and articles.titles[row]]
    kept = kept[:rows]
    contents, titles = np.array(texts, object)[kept], articles.titles[kept]
    return Headlines(contents, titles, titles[nearest(titles + "\n" + contents)])
