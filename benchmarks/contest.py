"""Contestants in separate processes, which take turns on the same cores."""

import contextlib
import importlib
import multiprocessing
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

# Libraries' threads look for work for a while when there is none: the next one's time.
PAUSE = 0.2
# New processes have imported nothing, and find the environment that they are started in.
METHOD = "spawn"


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
        make: module-level class or function; what it returns in the new process is called. As a
            string, `"module:name"`, the module is imported over there alone.
        *args: its arguments.
        environment: variables of the new process.
        all_cores: bool, whether the process may use all cores instead of one.

    Attributes:
        phases: dict of the seconds of its `import`, if `make` is a string, and of `load`.
    """

    def __init__(
        self,
        make: Callable[..., Any] | str,
        *args: Any,
        environment: Mapping[str, str],
        all_cores: bool = False,
    ):
        context = multiprocessing.get_context(METHOD)
        self._connection, theirs = context.Pipe()
        # Libraries chat there; it is of interest when a process dies.
        self._errors = tempfile.NamedTemporaryFile()  # noqa: SIM115, lives as long as this
        serve = (theirs, make, args, all_cores, self._errors.name)
        self._process = context.Process(target=_serve, args=serve, daemon=True)
        with _environment(environment):
            self._process.start()
        theirs.close()
        self.phases = self._receive().value

    def call(self, method: str, *args: Any) -> Reply:
        """Calls a method over there and waits for its result."""
        self._connection.send((method, args))
        return self._receive()

    def take_turn(self, method: str, *args: Any) -> Any:
        """Waits until the others' threads sleep, calls a method and returns its value."""
        time.sleep(PAUSE)
        return self.call(method, *args).value

    def close(self) -> None:
        """Ends the process, and waits until its memory is free."""
        with contextlib.suppress(BrokenPipeError):  # It has ended by itself.
            self._connection.send(None)
        self._connection.close()
        self._process.join()

    def _receive(self) -> Reply:
        try:
            reply = self._connection.recv()
        except EOFError:
            self._process.join()
            said = self._errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(
                f"A contestant's process ended with {self._process.exitcode}. {said}"
            ) from None
        if isinstance(reply, Exception):
            raise reply
        return reply


def core() -> int | None:
    """Returns the core that all contestants share; None where a process can't be tied to one."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


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


def ratios(values: list[float], bases: list[float]) -> Spread:
    """Returns the spread of quotients, each of two values of one round."""
    return spread([value / base for value, base in zip(values, bases, strict=True)])


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables for processes that begin meanwhile; some libraries look no later."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(connection, make, args, all_cores, errors) -> None:
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND), 2)
    if core() is not None and not all_cores:
        os.sched_setaffinity(0, {core()})
    try:
        phases = {}
        if isinstance(make, str):
            imported = _timed(_find, make)
            make, phases["import"] = imported.value, imported.wall
        made = _timed(make, *args)
        phases["load"] = made.wall
        connection.send(made._replace(value=phases))
        while request := connection.recv():
            method, args = request
            connection.send(_timed(getattr(made.value, method), *args))
    except EOFError:
        pass  # The other side has died.
    except Exception as error:
        # Libraries' own errors may not survive the way to another process.
        connection.send(RuntimeError("".join(traceback.format_exception(error))))


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _timed(function: Callable[..., Any], *args: Any) -> Reply:
    wall, cpu = time.perf_counter(), time.process_time()
    value = function(*args)
    return Reply(value, time.perf_counter() - wall, time.process_time() - cpu)
