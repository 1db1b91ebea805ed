"""How long to work on a request: up to its timeout, and while its client is connected."""

import asyncio
from typing import Any

from fastapi import Request

from keras_bert_zh.serving.errors import RefusedError


def seconds_of(request: Request, most: float) -> float:
    """Returns the timeout of a request in seconds."""
    given = request.headers.get("x-request-timeout")
    if given is None:
        return most
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise RefusedError(
            422,
            f"X-Request-Timeout must be a number of seconds, such as 2.5, got {given!r}.",
            param="X-Request-Timeout",
        )
    return min(seconds, most)


async def while_connected(request: Request, asked: Any) -> Any:
    """Returns what a coroutine returns, which is cancelled when the client goes away."""
    answer = asyncio.ensure_future(asked)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise RefusedError(499, "The client has disconnected.", code="client_gone")
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()


async def _disconnected(request: Request) -> None:
    # The body was read before.
    while (await request.receive())["type"] != "http.disconnect":
        pass
