"""Computes the vectors of a corpus on Ray workers, on this machine or on a cluster."""

import contextlib
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from keras_bert_zh.corpus.embedder import Embedded, Embedder
from keras_bert_zh.corpus.run import Compute, Work
from keras_bert_zh.extras import imported

# How often Ray starts a worker again that died, and computes a chunk again, before the run ends.
_RETRIES = 3
# How long the first worker may take to start and to load its model.
_SECONDS = 600


@contextlib.contextmanager
def on_workers(
    model: pathlib.Path,
    engine: str | None,
    batch_tokens: int,
    count: int | None = None,
    address: str | None = None,
) -> Iterator[Compute]:
    """Yields a function that computes on workers, which are stopped when the block ends.

    Rows are sent to the workers, and vectors are sent back, so no shared disk is needed. A worker
    that dies is started again, and its chunk is computed again.

    Args:
        model: the folder of the exported model; its files are sent to the workers.
        engine: the engine that runs it.
        batch_tokens: int, the most tokens in a batch.
        count: int, the number of workers, which share the CPUs of the machines. `None` for one
            worker on each machine.
        address: str, the cluster to join, such as `"auto"` or `"ray://host:10001"`. `None` starts
            Ray on this machine.

    Raises:
        ImportError: if Ray is not installed.
        ValueError: if there are fewer CPUs than workers.
        RuntimeError: if no worker starts, a worker can't run the model, or a chunk makes its
            worker fail repeatedly.
    """
    ray = _ray()
    # Ray tells its makers of each start, unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Without an address Ray would join what else runs on this machine.
    options: dict[str, Any] = {"address": address or "local"}
    options |= {} if address else {"include_dashboard": False}
    ray.init(logging_level="ERROR", log_to_driver=False, **options)
    try:
        machines = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        count = sum(cpus > 0 for cpus in machines) if count is None else count
        threads = threads_of(machines, count)
        # In a list, and so no argument of an actor by itself, which would not outlive a restart.
        files = [ray.put({file.relative_to(model): file.read_bytes() for file in _files(model)})]
        actor = ray.remote(num_cpus=threads, max_restarts=_RETRIES, max_task_retries=_RETRIES)(
            _Worker
        )
        pool = [actor.remote(files, engine, batch_tokens, threads) for _ in range(count)]
        _wait_for_one(ray, pool)
        yield lambda works: _computed(ray, pool, works)
    finally:
        ray.shutdown()


def threads_of(machines: Sequence[int], count: int) -> int:
    """Returns the number of CPUs for each worker, so that all workers fit on the machines.

    Args:
        machines: the number of CPUs of each machine.
        count: the number of workers.

    Raises:
        ValueError: if there are fewer CPUs than workers.

    Example:

    >>> from keras_bert_zh.corpus.on_ray import threads_of
    >>> threads_of([6, 2], 2), threads_of([2, 2, 2], 3)
    (3, 2)
    """
    if not 1 <= count <= sum(machines):
        raise ValueError(
            f"{count} workers were requested, but Ray has {sum(machines)} CPUs: pass a --workers "
            "of at most that number, or join a larger cluster."
        )
    most = range(max(machines), 0, -1)
    return next(cpus for cpus in most if sum(own // cpus for own in machines) >= count)


def _wait_for_one(ray: Any, pool: list[Any]) -> None:
    """Waits for the first worker, so that what is wrong with the model is known at once."""
    sizes = [actor.size.remote() for actor in pool]
    ready, _ = ray.wait(sizes, num_returns=1, timeout=_SECONDS)
    if not ready:
        raise RuntimeError(
            f"No Ray worker started within {_SECONDS} s: check with `ray status` whether other "
            "jobs use the CPUs of the cluster."
        )
    try:
        ray.get(ready[0])
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"A worker can't run the model: {_reason(error)}") from error


def _computed(ray: Any, pool: list[Any], works: Iterable[Work]) -> Iterator[tuple[Work, Embedded]]:
    """Yields chunks as they are done; no more are under way than there are workers."""
    works, idle, busy = iter(works), list(pool), {}

    def submit() -> None:
        for work in itertools.islice(works, len(idle)):
            actor = idle.pop()
            busy[actor.embed.remote(work.texts)] = actor, work

    submit()
    while busy:
        (done,), _ = ray.wait([*busy], num_returns=1)
        actor, work = busy.pop(done)
        try:
            found = ray.get(done)
        except ray.exceptions.RayError as error:
            chunk = work.chunk
            raise RuntimeError(
                f"Rows {chunk.first} to {chunk.end - 1} of {chunk.source} could not be computed in "
                f"{_RETRIES + 1} attempts: {_reason(error)} Run again: the files already written "
                "are kept."
            ) from error
        idle.append(actor)
        submit()
        yield work, found


def _reason(error: Exception) -> str:
    """Returns the last line of an error of Ray's, which says what happened over there."""
    return f"{error}".strip().splitlines()[-1]


class _Worker:
    """Holds the model, which it unpacks into a folder of its own."""

    def __init__(self, files, engine, batch_tokens, threads):
        with tempfile.TemporaryDirectory() as place:
            for path, content in _ray().get(files[0]).items():
                file = pathlib.Path(place, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self._embedder = Embedder(pathlib.Path(place), engine, batch_tokens, threads)

    def size(self):
        return self._embedder.size

    def embed(self, texts):
        return self._embedder(texts)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def _ray() -> Any:
    return imported("ray", "ray", "Computing on workers, with --workers or --address,")
