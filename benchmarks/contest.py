"""Contestants in processes of their own, all on one core, that take turns."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What a contestant's method returned, and the seconds that it took."""

    value: Any
    wall: float
    cpu: float


class Spread(NamedTuple):
    """Median and range over the rounds."""

    median: float
    lowest: float
    highest: float

    def show(self, pattern: str) -> str:
        return f"{self.median:{pattern}} ({self.lowest:{pattern}}-{self.highest:{pattern}})"


class Contestant:
    """An object in a process of its own, which does nothing between two calls.

    Args:
        make: module-level class or function; what it returns in the new process is called.
        *args: its arguments.
        environment: variables of the new process, set before `make` imports anything.
    """

    def __init__(self, make: Callable[..., Any], *args: Any, environment: Mapping[str, str]):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        serve = (theirs, make, args, dict(environment))
        context.Process(target=_serve, args=serve, daemon=True).start()
        theirs.close()
        self._receive()

    def call(self, method: str, *args: Any) -> Reply:
        """Calls a method over there and waits for its result."""
        self._connection.send((method, args))
        return self._receive()

    def _receive(self) -> Reply:
        reply = self._connection.recv()
        if isinstance(reply, Exception):
            raise reply
        return reply


def core() -> int | None:
    """Returns the core that all contestants share; None where a process can't be tied to one."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None


def interleave(
    turns: Mapping[str, Callable[[int], Reply]], rounds: int, parts: int
) -> dict[str, list[Reply]]:
    """Lets all take turns, part by part, and returns the sums of each over every round.

    A first round does not count.
    """
    replies: dict[str, list[Reply]] = {name: [] for name in turns}
    for _ in range(1 + rounds):
        done = [{name: turn(part) for name, turn in turns.items()} for part in range(parts)]
        for name in turns:
            sums = map(sum, zip(*(replied[name] for replied in done), strict=True))
            replies[name].append(Reply(*sums))
    return {name: counted[1:] for name, counted in replies.items()}


def spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def _serve(connection, make, args, environment) -> None:
    os.environ.update(environment)
    if core() is not None:
        os.sched_setaffinity(0, {core()})
    try:
        made = _timed(make, *args)
        connection.send(made._replace(value=None))
        while True:
            method, args = connection.recv()
            connection.send(_timed(getattr(made.value, method), *args))
    except EOFError:
        pass  # The other side is done.
    except Exception as error:
        connection.send(error)


def _timed(function: Callable[..., Any], *args: Any) -> Reply:
    wall, cpu = time.perf_counter(), time.process_time()
    value = function(*args)
    return Reply(value, time.perf_counter() - wall, time.process_time() - cpu)
