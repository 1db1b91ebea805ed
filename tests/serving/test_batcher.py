"""What requests have of each other, with an engine that computes when it is told to."""

import asyncio
import threading
import time

import pytest

from keras_bert_zh.serving.batcher import Batcher
from keras_bert_zh.serving.errors import RefusedError
from keras_bert_zh.serving.fair_queue import Taken, Work
from keras_bert_zh.serving.metrics import Metrics


class Engine:
    """Doubles numbers; each batch waits for `go`."""

    def __init__(self):
        self.go = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.batches = []
        self.error = None

    def __call__(self, rows):
        self.batches.append(list(rows))
        self.entered.release()
        assert self.go.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return [2 * row for row in rows]


def run(test, **options):
    """Runs an asynchronous test with an engine and its batcher."""
    deaths = []

    async def main():
        engine, settings = Engine(), {"batch_tokens": 10, "max_wait": 0.0, "queue_tokens": 30}
        batcher = Batcher(
            "numbers",
            engine,
            metrics=Metrics(),
            on_death=lambda: deaths.append(1),
            **settings | options,
        )
        batcher.start()
        await test(engine, batcher)
        for _ in range(20):
            engine.go.release()
        await batcher.close()
        assert bool(deaths) == (batcher.error is not None)

    asyncio.run(main())
    return len(deaths)


def ask(batcher, *numbers, length=1, seconds=10.0):
    return asyncio.ensure_future(batcher.results(numbers, [length] * len(numbers), seconds))


async def until(semaphore):
    assert await asyncio.to_thread(semaphore.acquire, timeout=10)


async def holding(engine, batcher):
    """A request that keeps the engine busy."""
    first = ask(batcher, 0)
    await until(engine.entered)
    return first


def test_requests_share_batches():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        others = [ask(batcher, 1, 2), ask(batcher, 3), ask(batcher, 4, 5, 6)]
        await asyncio.sleep(0.01)
        engine.go.release(2)
        assert await first == [0]
        assert await asyncio.gather(*others) == [[2, 4], [6], [8, 10, 12]]
        assert [sorted(batch) for batch in engine.batches] == [[0], [1, 2, 3, 4, 5, 6]]

    run(test)


def test_a_batch_has_so_many_tokens():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        many = ask(batcher, *range(1, 6), length=4)
        await asyncio.sleep(0.01)
        engine.go.release(9)
        assert await many == [2, 4, 6, 8, 10]
        assert await first == [0]
        assert engine.batches[1:] == [[1, 2], [3, 4], [5]]

    run(test)


def test_an_idle_engine_waits_for_more():
    async def test(engine, batcher):
        engine.go.release(9)
        asked = [ask(batcher, n, length=5) for n in (1, 2)]
        assert await asyncio.gather(*asked) == [[2], [4]]
        assert engine.batches == [[1, 2]]

    run(test, max_wait=5.0)  # Not needed in full: two fill a batch.


def test_a_full_queue_refuses():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        waiting = [ask(batcher, n, length=7) for n in range(1, 5)]
        await asyncio.sleep(0.01)
        said = "28 tokens are waiting, this request has 3, and at most 30 may wait"
        with pytest.raises(RefusedError, match=said) as caught:
            await ask(batcher, 5, length=3)
        assert caught.value.status == 429
        assert int(caught.value.headers["Retry-After"]) >= 1
        engine.go.release(9)
        assert await asyncio.gather(first, *waiting) == [[0], [2], [4], [6], [8]]
        assert await ask(batcher, 5) == [10]

    run(test)


def test_a_large_request_leaves_room_for_others():
    async def test(engine, batcher):
        large = ask(
            batcher, *range(1, 11), length=10
        )  # More than the queue, of which it fills 1/4.
        await until(engine.entered)
        small = ask(batcher, 77)
        await asyncio.sleep(0.01)
        engine.go.release(2)
        assert await small == [154]
        assert len(engine.batches) <= 3
        assert not large.done()
        engine.go.release(20)
        assert await large == [*range(2, 22, 2)]

    run(test)


def test_when_to_come_again_is_learned_from_full_batches(monkeypatch):
    batcher = Batcher(
        "numbers",
        Engine(),
        batch_tokens=10,
        max_wait=0.0,
        queue_tokens=30,
        metrics=Metrics(),
        on_death=lambda: None,
    )
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    rates = []
    for size in (1, 10, 10, 1, 1):  # Each batch takes 20 ms.
        work = Work(range(size), [1] * size)
        batcher._count([Taken(work, place) for place in range(size)], 100.0 - 0.02)
        rates.append(round(batcher._rate))
    assert rates == [50, 140, 212, 212, 212]


def test_what_is_too_late_is_not_computed():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        with pytest.raises(RefusedError, match=r"within 0\.05 s") as caught:
            await ask(batcher, 1, seconds=0.05)
        assert caught.value.status == 504
        engine.go.release(9)
        assert await first == [0]
        assert await ask(batcher, 2) == [4]
        assert engine.batches == [[0], [2]]

    run(test)


def test_who_goes_away_is_not_computed():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        gone, stays = ask(batcher, 1, 2, 3), ask(batcher, 4)
        await asyncio.sleep(0.01)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        engine.go.release(9)
        assert (await first, await stays) == ([0], [8])
        assert engine.batches == [[0], [4]]

    run(test)


def test_a_request_that_fails_harms_no_other():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        bad, good = ask(batcher, "x", None, "y", length=3), [ask(batcher, n) for n in (1, 2)]
        await asyncio.sleep(0.01)
        engine.go.release(20)
        with pytest.raises(RefusedError, match="TypeError") as caught:
            await bad
        assert caught.value.status == 500
        assert await asyncio.gather(first, *good) == [[0], [2], [4]]
        assert batcher.error is None
        assert await ask(batcher, 3) == [6]

    assert run(test) == 0


def test_an_engine_may_fail_once():
    async def test(engine, batcher):
        engine.error = ValueError("no memory")
        engine.go.release()
        with pytest.raises(RefusedError, match="ValueError: no memory") as caught:
            await ask(batcher, 1)
        assert caught.value.status == 500
        engine.error = None
        engine.go.release(9)
        assert await ask(batcher, 2) == [4]
        assert batcher.error is None

    assert run(test) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("failures", [1, 3])
def test_a_dead_thread_answers_everybody(failures):
    async def test(engine, batcher):
        engine.error = ValueError("broken") if failures > 1 else SystemExit("killed")
        for _ in range(failures - 1):
            engine.go.release()
            with pytest.raises(RefusedError, match="broken"):
                await ask(batcher, 1)
        first = await holding(engine, batcher) if failures > 1 else ask(batcher, 0, length=10)
        waiting = ask(batcher, 1, length=10)
        await asyncio.sleep(0.01)
        engine.go.release()
        found = await asyncio.gather(first, waiting, return_exceptions=True)
        assert [error.status for error in found] == [500, 503]
        assert batcher.error is engine.error
        with pytest.raises(RefusedError) as caught:
            await ask(batcher, 2)
        assert caught.value.status == 503

    assert run(test) == 1


def test_closing_computes_what_waits():
    async def test(engine, batcher):
        first = await holding(engine, batcher)
        waiting = ask(batcher, 1, 2)
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(batcher.close())
        await asyncio.sleep(0.01)
        with pytest.raises(RefusedError, match="stopping"):
            await ask(batcher, 3)
        engine.go.release(9)
        assert (await first, await waiting) == ([0], [2, 4])
        await closing

    run(test)
