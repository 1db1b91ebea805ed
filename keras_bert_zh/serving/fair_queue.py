"""A queue of the rows of many requests, which gives each request a fair share."""

import heapq
import itertools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple


class Work:
    """What one request wants computed.

    Args:
        rows: what the model takes.
        lengths: sequence of int, how many tokens each row costs.
        answer: what the one who asks waits for.

    Attributes:
        results: list, in the order of the rows; what is computed is put there.
        left: int, how many rows are not computed.
        since: float, when it came, by `time.monotonic`.
        waiting, rows_waiting: int, how many tokens and rows wait to be taken.
        is_dropped: bool, whether nobody wants it any more.
    """

    def __init__(self, rows: Sequence, lengths: Sequence[int], answer: Any = None):
        self.rows, self.lengths, self.answer = rows, lengths, answer
        self.results: list = [None] * len(rows)
        self.left = len(rows)
        self.since = time.monotonic()
        self.waiting = sum(lengths)
        self.rows_waiting = len(rows)
        self.is_dropped = False


class Taken(NamedTuple):
    """One row that is to be computed: the work that it is of, and its place there."""

    work: Work
    place: int


class FairQueue:
    """Alternates between requests, by tokens, so that long requests do not delay short ones.

    Each request is served as if all requests had the same share of the tokens per second: the next
    row is the waiting row that would be finished first. Not thread-safe.

    Args:
        share: int, the most tokens with which a request counts in `load`.
        padding: int, with padding, a batch has at most `padding` times the most tokens of a batch.

    Attributes:
        tokens, rows: int, how many wait.
        load: int, the tokens that wait, of no request more than its share.

    Example:

    >>> from keras_bert_zh.serving.fair_queue import FairQueue, Work
    >>> queue, long, short = FairQueue(), Work("abc", [9, 9, 9]), Work("d", [5])
    >>> queue.add(long)
    >>> queue.add(short)
    >>> [taken.work.rows[taken.place] for taken in queue.take(20)]
    ['d', 'a']

    Reference:
        Golestani, A Self-Clocked Fair Queueing Scheme for Broadband Applications, 1994.
    """

    def __init__(self, share: int = 1 << 62, padding: int = 8) -> None:
        self._share, self._padding = share, padding
        self._heap: list[tuple[int, int, Work, int]] = []
        self._numbers = itertools.count()
        self._now = 0  # The tag of what was taken last.
        self.tokens = self.rows = self.load = 0

    def add(self, work: Work) -> None:
        """Adds all rows of a request."""
        finish = self._now
        for place, length in enumerate(work.lengths):
            finish += length
            heapq.heappush(self._heap, (finish, next(self._numbers), work, place))
        self._count(work, work.waiting, work.rows_waiting)

    def drop(self, work: Work) -> None:
        """Takes out what of a request is not taken yet."""
        if not work.is_dropped:
            work.is_dropped = True
            self._count(work, -work.waiting, -work.rows_waiting)
            if not self.rows:
                self._heap.clear()  # Else they stay until something else is taken.

    def take(self, most: int) -> list[Taken]:
        """Takes the next batch, of at most so many tokens; one row may have more."""
        taken: list[Taken] = []
        total = longest = 0
        while self._heap:
            finish, _, work, place = self._heap[0]
            if work.is_dropped:
                heapq.heappop(self._heap)
                continue
            length = work.lengths[place]
            longest = max(longest, length)
            padded = longest * (len(taken) + 1)
            if taken and (total + length > most or padded > self._padding * most):
                break
            heapq.heappop(self._heap)
            self._now = finish
            total += length
            taken.append(Taken(work, place))
            self._count(work, -length, -1)
            work.waiting -= length
            work.rows_waiting -= 1
        return taken

    def clear(self) -> set[Work]:
        """Takes out everything, and returns what requests it was of."""
        works = {work for _, _, work, _ in self._heap if not work.is_dropped}
        self._heap.clear()
        self.tokens = self.rows = self.load = 0
        return works

    def _count(self, work: Work, tokens: int, rows: int) -> None:
        """Counts more or fewer tokens and rows of a request than `work.waiting` says."""
        self.tokens += tokens
        self.rows += rows
        before = 0 if tokens > 0 else min(work.waiting, self._share)
        after = work.waiting if tokens > 0 else work.waiting + tokens
        self.load += min(after, self._share) - before
