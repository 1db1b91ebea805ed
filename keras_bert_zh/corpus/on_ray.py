"""The computing of a corpus on Ray: one actor a worker, on this machine or on a cluster."""

import contextlib
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from keras_bert_zh.corpus.embedder import Embedded, Embedder
from keras_bert_zh.corpus.run import Compute, Work

# How often Ray computes a chunk again whose worker died, before the run ends with an error.
_RETRIES = 3


@contextlib.contextmanager
def on_workers(
    model: pathlib.Path,
    engine: str | None,
    batch_tokens: int,
    count: int | None = None,
    address: str | None = None,
) -> Iterator[Compute]:
    """Yields what computes on workers; they are gone when the block ends.

    Rows are sent to the workers and vectors come back, so that they need no common disk. A worker
    that dies is started again, and what it had is computed again.

    Args:
        model: the folder of the exported model, whose files are sent along.
        engine: the engine that runs it.
        batch_tokens: int, how many tokens a batch has at most.
        count: int, how many workers. `None` for as many as fit: one for each 4 CPUs of a cluster;
            at least one.
        address: str, the cluster to join, such as `"auto"` or `"ray://host:10001"`. `None` starts
            Ray on this machine.

    Raises:
        ImportError: if Ray is not installed.
        RuntimeError: if the workers can't run the model, or a chunk ends its worker again and
            again.
    """
    ray = _ray()
    # Ray tells its makers of each start, unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    ray.init(logging_level="ERROR", log_to_driver=False, **options)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 1))
        count = max(1, cpus // 4) if count is None else count
        threads = max(1, cpus // count)
        # In a list, and so no argument of an actor by itself, which would not outlive a restart.
        files = [ray.put({file.relative_to(model): file.read_bytes() for file in _files(model)})]
        actor = ray.remote(num_cpus=threads, max_restarts=-1, max_task_retries=_RETRIES)(_Worker)
        pool = [actor.remote(files, engine, batch_tokens, threads) for _ in range(count)]
        _wait_for_one(ray, pool)
        yield lambda works: _computed(ray, pool, works)
    finally:
        ray.shutdown()


def _wait_for_one(ray: Any, pool: list[Any]) -> None:
    """Waits for the first worker, so that what is wrong with the model is known at once."""
    (ready,), _ = ray.wait([actor.size.remote() for actor in pool], num_returns=1)
    try:
        ray.get(ready)
    except ray.exceptions.ActorDiedError as error:
        reason = f"{error}".strip().splitlines()[-1]
        raise RuntimeError(f"The workers can't run the model: {reason}") from error


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
        except ray.exceptions.ActorError as error:
            raise RuntimeError(
                f"A worker died {_RETRIES + 1} times at rows {work.chunk.first} to "
                f"{work.chunk.end} of {work.chunk.source}: {error}"
            ) from error
        idle.append(actor)
        submit()
        yield work, found


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
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--workers and --address need Ray: pip install 'keras-bert-zh[ray]'. Without them "
            "everything is computed in this process."
        ) from error
    return ray
