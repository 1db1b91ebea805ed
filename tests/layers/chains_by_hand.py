"""A CRF over all label sequences, one by one, in float64."""

import itertools

import numpy as np


class ByHand:
    """What `CRF` computes for one text.

    Args:
        logits: `<float64>[T, K]`, those of the chain alone.
        transitions, start, end: the weights.
        allowed: `<bool>[K + 1, K + 1]`.
    """

    def __init__(self, logits, transitions, start, end, allowed):
        self.logits, self.allowed = logits, allowed
        self.table = np.zeros(allowed.shape)
        self.table[:-1, :-1], self.table[-1, :-1], self.table[:-1, -1] = transitions, start, end
        count = len(start)
        self.sequences = list(itertools.product(range(count), repeat=len(logits)))

    def score(self, labels, open_pairs=()):
        """The score of a sequence, minus infinity if it breaks a rule that is not open."""
        border = len(self.table) - 1
        total = sum(self.logits[i, label] for i, label in enumerate(labels))
        for place, pair in enumerate(itertools.pairwise((border, *labels, border))):
            if place not in open_pairs:
                total += self.table[pair] if self.allowed[pair] else -np.inf
        return total if len(labels) else 0.0

    def log_likelihood(self, labels):
        border = len(self.table) - 1
        pairs = itertools.pairwise((border, *labels, border))
        broken = [place for place, pair in enumerate(pairs) if not self.allowed[pair]]
        scores = [self.score(other, broken) for other in self.sequences]
        return self.score(labels, broken) - np.logaddexp.reduce(scores)

    def log_partition(self):
        return np.logaddexp.reduce([self.score(labels) for labels in self.sequences])

    def best(self):
        return max(((labels, self.score(labels)) for labels in self.sequences), key=lambda x: x[1])

    def marginals(self):
        chances = np.exp([self.score(labels) for labels in self.sequences] - self.log_partition())
        found = np.zeros(self.logits.shape)
        for labels, chance in zip(self.sequences, chances, strict=True):
            for i, label in enumerate(labels):
                found[i, label] += chance
        return found
