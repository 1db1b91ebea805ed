"""Computes the rows of requests in batches, in a separate thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from keras_bert_zh.serving.errors import RefusedError, overloaded, stopping, too_late
from keras_bert_zh.serving.fair_queue import FairQueue, Taken, Work
from keras_bert_zh.serving.metrics import Metrics

# An engine that fails for so many requests in a row, each computed alone, is broken.
_FAILURES = 3

# The share of the queue that one request may fill.
_SHARE = 4

# The most seconds after which clients are told to try again.
_LATEST = 30.0


class Batcher:
    """Joins the rows of all requests into batches, and computes one batch after the other.

    A batch has the rows that are waiting when the previous batch is done. An idle engine starts
    with the first rows that come, or waits up to `max_wait` for more.

    Args:
        task: str, the name in the metrics.
        compute: takes a list of rows, and returns a list of their results.
        batch_tokens: int, the most tokens in a batch; a single row may have more.
        max_wait: float, the seconds that an idle engine waits for a batch to become full.
        queue_tokens: int, the most tokens that may wait; a single request counts with at most a
            quarter of them.
        padding: int, as for `FairQueue`.
        metrics: Metrics.
        on_death: called in the thread if the thread ends with an error.

    Attributes:
        error: what the thread ended with, or `None`.
    """

    def __init__(
        self,
        task: str,
        compute: Callable[[list], list],
        *,
        batch_tokens: int,
        max_wait: float,
        queue_tokens: int,
        padding: int = 8,
        metrics: Metrics,
        on_death: Callable[[], None],
    ):
        self._compute, self._metrics, self._on_death = compute, metrics, on_death
        self._task, self._batch_tokens, self._max_wait = task, batch_tokens, max_wait
        self._queue_tokens = queue_tokens
        self._queue = FairQueue(max(1, queue_tokens // _SHARE), padding)
        self._changed = threading.Condition()
        self._is_closing = False
        self._rate = 0.0  # Tokens per second.
        self._failures = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"compute-{task}", daemon=True)

    def start(self) -> None:
        """Starts the thread; to be called in the event loop that will ask."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Computes what waits, and ends the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    async def results(self, rows: Sequence, lengths: Sequence[int], seconds: float) -> list:
        """Returns the results of rows, in their order.

        If this is cancelled, as when the client has gone, nothing more is computed of them.

        Args:
            rows: what `compute` takes.
            lengths: how many tokens each costs.
            seconds: float, how long the results are waited for.

        Raises:
            RefusedError: if the queue is full, the time is over or the engine fails.
        """
        if not rows:
            return []
        work = Work(rows, lengths, self._loop.create_future())
        with self._changed:
            if self.error is not None or self._is_closing:
                raise stopping()
            load, more = self._queue.load, min(work.waiting, self._queue_tokens // _SHARE)
            if load and load + more > self._queue_tokens:
                raise overloaded(load, more, self._queue_tokens, self._expected())
            self._queue.add(work)
            self._show()
            self._changed.notify()
        try:
            async with asyncio.timeout(seconds):
                return await work.answer
        except TimeoutError as error:
            raise too_late(seconds) from error
        finally:
            if work.rows_waiting:
                self._drop([work])

    def _drop(self, works: Iterable[Work]) -> None:
        with self._changed:
            for work in works:
                self._queue.drop(work)
            self._show()

    def _expected(self) -> float:
        """Returns after how many seconds what waits will be done."""
        return min(self._queue.tokens / self._rate, _LATEST) if self._rate else 1.0

    def _show(self) -> None:
        self._metrics.queue_texts.labels(self._task).set(self._queue.rows)
        self._metrics.queue_tokens.labels(self._task).set(self._queue.tokens)

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._serve(batch)
        except BaseException as error:  # Whatever it is, requests must not wait for ever.
            with self._changed:
                self.error = error
                left = self._queue.clear()
            self._tell([(work, None) for work in left], stopping())
            self._on_death()
            raise

    def _next(self) -> list[Taken]:
        """Waits for rows and takes a batch of them; an empty one at the end."""
        with self._changed:
            while True:
                is_idle = not self._queue.rows
                self._changed.wait_for(lambda: self._queue.rows or self._is_closing)
                if self._max_wait and is_idle:
                    self._changed.wait_for(
                        lambda: self._queue.tokens >= self._batch_tokens or self._is_closing,
                        self._max_wait,
                    )
                batch = self._queue.take(self._batch_tokens)
                self._show()
                if batch or self._is_closing:
                    return batch

    def _serve(self, batch: list[Taken]) -> None:
        began = time.monotonic()
        try:
            found = self._compute([work.rows[place] for work, place in batch])
        except Exception as error:
            works = dict.fromkeys(work for work, _ in batch)
            if len(works) == 1:
                self._fail(works, error)
                return
            for each in works:  # It may be the fault of one of them.
                self._serve([taken for taken in batch if taken.work is each])
            return
        except BaseException as error:
            self._tell([(work, None) for work in {work for work, _ in batch}], _failed(error))
            raise
        self._failures = 0
        for (work, place), result in zip(batch, found, strict=True):
            work.results[place] = result
            work.left -= 1
        done = {work for work, _ in batch if not work.left}
        self._tell([(work, work.results) for work in done], None)
        self._count(batch, began)

    def _fail(self, works: Iterable[Work], error: Exception) -> None:
        self._drop(works)
        self._tell([(work, None) for work in works], _failed(error))
        self._failures += 1
        if self._failures == _FAILURES:
            raise error

    def _count(self, batch: list[Taken], began: float) -> None:
        seconds = time.monotonic() - began
        tokens = sum(work.lengths[place] for work, place in batch)
        rate = tokens / max(seconds, 1e-6)
        if 2 * tokens >= self._batch_tokens and self._rate:
            self._rate = 0.8 * self._rate + 0.2 * rate
        else:
            self._rate = max(self._rate, rate)  # Small batches do not show what it can do.
        metrics, task = self._metrics, self._task
        metrics.texts.labels(task).inc(len(batch))
        metrics.tokens.labels(task).inc(tokens)
        metrics.batch_texts.labels(task).observe(len(batch))
        metrics.batch_tokens.labels(task).observe(tokens)
        metrics.batch_fill.labels(task).observe(tokens / self._batch_tokens)
        metrics.batch_seconds.labels(task).observe(seconds)
        for work in {work for work, place in batch if place == 0}:
            metrics.queue_seconds.labels(task).observe(began - work.since)

    def _tell(self, done: list[tuple[Work, list | None]], error: RefusedError | None) -> None:
        """Answers in the event loop, once for all of a batch."""

        def answer() -> None:
            for work, results in done:
                if work.answer.done():
                    continue
                if results is None:
                    work.answer.set_exception(error)
                else:
                    work.answer.set_result(results)

        if done and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(answer)


def _failed(error: BaseException) -> RefusedError:
    return RefusedError(
        500, f"The engine failed: {type(error).__name__}: {error}", code="engine_failed"
    )
