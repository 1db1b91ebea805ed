"""The service behind the HTTP routes: models, their tasks and their batches."""

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert_zh.serving.batcher import Batcher
from keras_bert_zh.serving.errors import RefusedError, stopping
from keras_bert_zh.serving.metrics import Metrics
from keras_bert_zh.serving.options import Options
from keras_bert_zh.serving.served_model import Row, ServedModel
from keras_bert_zh.serving.tasks import OF_TASK, Embedding, Labels, Outputs, Sent, Task

# Where each task is.
PATHS = {
    "embeddings": "/v1/embeddings",
    "predict": "/predict",
    "entities": "/entities",
    "fill-mask": "/fill-mask",
    "outputs": "/v1/models/NAME:predict",
}

# Texts of more characters together become tokens in a thread beside the event loop.
_LONG = 20_000


class _Unit:
    """A task with the batcher of its model."""

    def __init__(self, task: Task, batcher: Batcher):
        self.task, self.batcher = task, batcher


class Service:
    """Answers requests with exported models.

    Args:
        models: sequence of ServedModel; the outputs of the first one are served.
        options: Options.
        on_death: called in some thread if a computing thread ends with an error.

    Attributes:
        metrics: Metrics.
        units: dict, the task and the batcher of each endpoint.
        is_draining: bool, whether it accepts no more requests.
    """

    def __init__(
        self,
        models: Sequence[ServedModel],
        options: Options,
        on_death: Callable[[], None] = lambda: None,
    ):
        self.options, self.metrics = options, Metrics()
        self.is_draining = False
        self.units: dict[str, _Unit] = {}
        self._batchers = []
        for model in models:
            name, kind = OF_TASK.get(model.described.task, ("outputs", Outputs))
            batcher = Batcher(
                name,
                functools.partial(_computed, model),
                padding=model.padding,
                batch_tokens=options.batch_tokens,
                max_wait=options.max_wait_ms / 1000,
                queue_tokens=options.queue_tokens,
                metrics=self.metrics,
                on_death=on_death,
            )
            self._batchers.append(batcher)
            self.units.setdefault("outputs", _Unit(Outputs(model), batcher))
            takes = ("texts", "pairs") if kind is Labels else ("texts",)
            if kind is not Outputs and model.described.takes in takes:
                self.units[name] = _Unit(kind(model), batcher)

    def start(self) -> None:
        """Starts to compute; to be called in the event loop."""
        for batcher in self._batchers:
            batcher.start()

    async def close(self) -> None:
        """Computes what was taken, and ends."""
        self.is_draining = True
        await asyncio.gather(*(batcher.close() for batcher in self._batchers))

    @property
    def error(self) -> BaseException | None:
        """What a computing thread ended with, if one did."""
        return next((x.error for x in self._batchers if x.error is not None), None)

    @property
    def vector_size(self) -> int | None:
        """How many numbers a vector has, if there are vectors."""
        task = self.units["embeddings"].task if "embeddings" in self.units else None
        return task.size if isinstance(task, Embedding) else None

    async def answers(
        self,
        endpoint: str,
        param: str,
        sent: Sequence[Sent],
        *,
        truncate: bool,
        seconds: float,
        **options: Any,
    ) -> tuple[list, int]:
        """Returns the answers for texts, in their order, and how many tokens were computed.

        Args:
            endpoint: str, one of `OF_TASK`, or `"outputs"`.
            param: str, the field that the texts are in.
            sent: texts, pairs or ids.
            truncate: bool, whether texts that are too long are cut.
            seconds: float, how long the answers are waited for.
            **options: those of the task.

        Raises:
            RefusedError: if one of the texts can't be answered.
        """
        if self.is_draining:
            raise stopping()
        unit = self.units.get(endpoint)
        if unit is None:
            raise self._not_served(endpoint)
        most = self.options.max_texts
        if len(sent) > most:
            raise RefusedError(
                422,
                f"{param} has {len(sent)} texts, but a request may have at most {most}: send them "
                "in several requests.",
                param=param,
                code="too_many_texts",
            )

        def encoded():
            named = enumerate(sent)
            return [unit.task.rows(f"{param}[{i}]", x, truncate=truncate) for i, x in named]

        is_long = sum(map(_characters, sent)) > _LONG
        rows = await asyncio.to_thread(encoded) if is_long else encoded()
        flat = [(unit.task, row) for of_text in rows for row in of_text]
        costs = [unit.task.model.cost(row) for _, row in flat]
        outputs = iter(await unit.batcher.results(flat, costs, seconds))

        def answered():
            of_texts = [[next(outputs) for _ in of_text] for of_text in rows]
            triples = zip(sent, rows, of_texts, strict=True)
            return [unit.task.answer(*triple, **options) for triple in triples]

        found = await asyncio.to_thread(answered) if len(flat) > 8 else answered()
        return found, sum(len(row["input_ids"]) for _, row in flat)

    def _not_served(self, endpoint: str) -> RefusedError:
        served = ", ".join(path for name, path in PATHS.items() if name in self.units)
        text = f"This model does not serve {PATHS[endpoint]}: it serves {served}."
        if endpoint == "embeddings":
            text += " To get vectors from any checkpoint, start the server with --pooling mean."
        return RefusedError(404, text, code="no_such_task")


def _computed(model: ServedModel, asked: list[tuple[Task, Row]]) -> list[list[np.ndarray]]:
    """Returns what the tasks of rows keep of their outputs."""
    outputs = model.compute([row for _, row in asked])
    return [task.keep(row, found) for (task, row), found in zip(asked, outputs, strict=True)]


def _characters(sent: Sent) -> int:
    if isinstance(sent, Mapping):
        return len(sent["input_ids"])
    return len(sent) if isinstance(sent, str) else sum(map(len, sent))
