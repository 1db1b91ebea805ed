"""Sends requests of one text each to a server, and times each of them.

It only uses the standard library, to leave the cores to the server.
"""

import asyncio
import collections
import contextlib
import json
import math
import random
import resource
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Seconds after which a request that was sent at a rate counts as failed.
PATIENCE = 5.0
# And one of a client that waits, beside as many others as there are clients.
_CLIENTS_PATIENCE = 60.0
# Servers close connections after some seconds without a request.
_KEPT = 2.0
# How long what is left of a run may take, and what a lone short text takes at most.
_DRAINED, _AT_ONCE = 300, 0.5
_HOST = "127.0.0.1"


class Run(NamedTuple):
    """What one run has measured.

    Args:
        rate: requests a second that were to be sent, or `None` where clients wait for answers.
        seconds: from the first request to the last answer.
        latencies: seconds of each request that was answered, from when it was to be sent.
        failures: how many requests failed, by what happened.
        cpu: share of a core that sending took.
    """

    rate: float | None
    seconds: float
    latencies: list[float]
    failures: dict[str, int]
    cpu: float

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def percentile(self, share: float) -> float:
        """Returns the seconds that so many requests took at most; one that failed took forever."""
        return percentile([*self.latencies, *[math.inf] * self.failed], share)


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Returns the times of a Poisson process whose first event is at 0: gaps are exponential."""
    gaps, due, times = random.Random(seed), 0.0, []
    while due < seconds:
        times.append(due)
        due += gaps.expovariate(rate)
    return times


def percentile(values: Iterable[float], share: float) -> float:
    """Returns the least value that no fewer than this share of all values reach at most."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Client:
    """Sends texts in random order, and does nothing between two calls.

    Args:
        texts: list of str.
    """

    def __init__(self, texts: Sequence[str]):
        self._texts = list(texts)
        self._shortest = min(range(len(self._texts)), key=lambda number: len(self._texts[number]))
        # Each request that waits for its answer has a connection.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def aim(self, port: int, path: str, model: str) -> None:
        """Makes the requests for a server on this machine."""
        self._port = port
        self._requests = [_request(path, model, text) for text in self._texts]

    def vector(self, number: int) -> list[float]:
        """Returns the answer to the text of that number."""
        body = asyncio.run(self._once(number))[1]
        return json.loads(body)["data"][0]["embedding"]

    def once(self, number: int) -> float:
        """Returns the seconds that one request takes while there is no other."""
        return asyncio.run(self._once(number))[0]

    def settle(self) -> None:
        """Waits until a request is answered at once: of those before, none is left.

        Raises:
            TimeoutError: if that takes longer than `_DRAINED` seconds.
        """
        end = time.monotonic() + _DRAINED
        while time.monotonic() < end:
            with contextlib.suppress(ValueError):  # It refuses what is too much.
                if asyncio.run(self._once(self._shortest))[0] < _AT_ONCE:
                    return
            time.sleep(_AT_ONCE)
        raise TimeoutError(f"The server is busy {_DRAINED} s after the last request.")

    def at_rate(self, rate: float, seconds: float, seed: int, to_the_end: bool = True) -> Run:
        """Sends requests at random times, whether the ones before are answered or not.

        Args:
            rate: requests a second.
            seconds: for how long.
            seed: of the times and the order of the texts.
            to_the_end: whether it goes on when one has failed.
        """
        times = arrivals(rate, seconds, seed)
        return self._timed(rate, self._open_loop(times, seed, to_the_end))

    def from_clients(self, clients: int, seconds: float, seed: int) -> Run:
        """Lets clients each send a request when the one before is answered."""
        return self._timed(None, self._closed_loop(clients, seconds, seed))

    def _timed(self, rate, loop) -> Run:
        self._latencies: list[float] = []
        self._failures: collections.Counter[str] = collections.Counter()
        wall, cpu = time.perf_counter(), time.process_time()
        asyncio.run(loop)
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        return Run(rate, seconds, self._latencies, dict(self._failures), used / seconds)

    async def _once(self, number: int) -> tuple[float, bytes]:
        async with _Connections(self._port) as connections:
            await connections.open()  # The time to connect is not the server's.
            start = time.perf_counter()
            body = await connections.post(self._requests[number])
            return time.perf_counter() - start, body

    async def _open_loop(self, times: Sequence[float], seed: int, to_the_end: bool) -> None:
        order = random.Random(seed)
        start = asyncio.get_running_loop().time()
        async with _Connections(self._port) as connections, asyncio.TaskGroup() as group:
            for due in times:
                await asyncio.sleep(start + due - asyncio.get_running_loop().time())
                if self._failures and not to_the_end:
                    return
                request = order.choice(self._requests)
                group.create_task(self._send(connections, request, start + due, PATIENCE))

    async def _closed_loop(self, clients: int, seconds: float, seed: int) -> None:
        order, now = random.Random(seed), asyncio.get_running_loop().time
        end = now() + seconds

        async def client():
            while now() < end:
                due = now()
                request = order.choice(self._requests)
                await self._send(connections, request, due, _CLIENTS_PATIENCE)

        async with _Connections(self._port) as connections, asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())

    async def _send(
        self, connections: "_Connections", request: bytes, due: float, patience: float
    ) -> None:
        """Counts the time of one request from when it was due, or its failure."""
        try:
            async with asyncio.timeout_at(due + patience):
                await connections.post(request)
        except (OSError, EOFError, ValueError) as error:
            name = f"{error}" if isinstance(error, ValueError) else type(error).__name__
            self._failures[name] += 1
        else:
            self._latencies.append(asyncio.get_running_loop().time() - due)


class _Connections:
    """Connections of HTTP/1.1 that stay open, as many as there are requests at once."""

    def __init__(self, port: int):
        self._port = port
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> "_Connections":
        return self

    async def __aexit__(self, *raised: object) -> None:
        for *_, writer in self._idle:
            await _close(writer)

    async def open(self) -> None:
        """Opens a connection for a request to come."""
        self._idle.append((time.monotonic(), *await asyncio.open_connection(_HOST, self._port)))

    async def post(self, request: bytes) -> bytes:
        """Returns the body of the answer.

        Raises:
            ValueError: if the answer has no embedding.
            OSError, EOFError: if the connection ends.
        """
        reader, writer = await self._take()
        try:
            writer.write(request)
            body = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        self._idle.append((time.monotonic(), reader, writer))
        return body

    async def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < _KEPT and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(_HOST, self._port)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # The server was first.
        await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in status:
        raise ValueError(status)
    headers = {name.lower(): value for name, _, value in (line.partition(":") for line in lines)}
    if "content-length" not in headers:
        raise ValueError("an answer without Content-Length")
    body = await reader.readexactly(int(headers["content-length"]))
    if b'"embedding"' not in body:
        raise ValueError("an answer without an embedding")
    return body


def _request(path: str, model: str, text: str) -> bytes:
    # Ours refuses what is too long unless it is asked to cut it; others cut, and ignore the key.
    fields = {"model": model, "input": [text], "truncate": True}
    body = json.dumps(fields, ensure_ascii=False).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {_HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
