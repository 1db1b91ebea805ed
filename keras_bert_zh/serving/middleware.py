"""Middleware: limits of the body, API keys, metrics and the access log."""

import asyncio
import hashlib
import hmac
import json
import logging
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from keras_bert_zh.serving.errors import RefusedError
from keras_bert_zh.serving.metrics import Metrics

# Open without a key: what says that the server lives, and the page of the API.
_OPEN = ("/health", "/ready", "/docs", "/openapi.json")

# The status of a client that went away, as nginx has it.
_NO_ANSWER = 499

_LOGGER = logging.getLogger(__name__)

# How many seconds a client may take to send a request.
_TO_SEND = 30.0


class _Middleware:
    """Passes on what is not HTTP."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class BodyLimit(_Middleware):
    """Reads bodies, and refuses large ones. Bodies are read as JSON, whatever headers say.

    Args:
        most: int, the most bytes.
    """

    def __init__(self, app: Any, most: int):
        super().__init__(app)
        self._most = most

    async def http(self, scope, receive, send):
        said = dict(scope["headers"]).get(b"content-length", b"")
        if said.isdigit() and int(said) > self._most:
            await _answer(send, self._refused(int(said)))
            return
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(_TO_SEND):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self._most:
                        await _answer(send, self._refused(len(body)))
                        return
        except TimeoutError:
            text = f"The request was not sent within {_TO_SEND:g} s."
            await _answer(send, RefusedError(408, text, param="body", code="too_slow"))
            return
        is_read = False

        async def again():
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        headers = [x for x in scope["headers"] if x[0] != b"content-type"]
        headers.append((b"content-type", b"application/json"))
        scope["headers"] = headers
        await self.app(scope, again, send)

    def _refused(self, size: int) -> RefusedError:
        return RefusedError(
            413,
            f"The body has {size} bytes or more, but at most {self._most} are allowed: send fewer "
            "texts.",
            param="body",
            code="body_too_large",
        )


class Keys(_Middleware):
    """Refuses requests without one of the keys.

    Args:
        keys: the digests of those that are taken, as `read_keys` returns them.
    """

    def __init__(self, app: Any, keys: Sequence[str]):
        super().__init__(app)
        self._keys = keys

    async def http(self, scope, receive, send):
        if scope["path"] not in _OPEN and not self._is_known(scope["headers"]):
            text = "Send a key of this server as the header Authorization: Bearer KEY."
            refused = RefusedError(401, text, param="Authorization", code="invalid_api_key")
            refused.headers = {"WWW-Authenticate": "Bearer"}
            await _answer(send, refused)
            return
        await self.app(scope, receive, send)

    def _is_known(self, headers) -> bool:
        given = dict(headers).get(b"authorization", b"")
        scheme, _, key = given.partition(b" ")
        found = hashlib.sha256(key.strip()).hexdigest()
        # All are compared, each in a time that does not depend on what is equal.
        equal = [hmac.compare_digest(found, known) for known in self._keys]
        return scheme.lower() == b"bearer" and any(equal)


class Counted(_Middleware):
    """Counts requests, and answers with 500 if there is an unexpected error.

    Args:
        metrics: Metrics.
    """

    def __init__(self, app: Any, metrics: Metrics):
        super().__init__(app)
        self._metrics = metrics

    async def http(self, scope, receive, send):
        began = time.perf_counter()
        status = _Status(send)
        try:
            await self.app(scope, receive, status)
        except Exception as error:
            _LOGGER.exception("%s failed", scope["path"])
            if status.code == _NO_ANSWER:
                text = f"The server failed: {type(error).__name__}."
                await _answer(status, RefusedError(500, text, code="failed"))
        finally:
            # Not the path itself, of which there is no end.
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, status.code).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)


class AccessLog(_Middleware):
    """Writes a line of JSON for each request to the standard output."""

    async def http(self, scope, receive, send):
        began = time.perf_counter()
        status = _Status(send)
        try:
            await self.app(scope, receive, status)
        finally:
            client = scope.get("client")
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "client": client[0] if client else None,
                "method": scope["method"],
                "path": scope["path"],
                "status": status.code,
                "seconds": round(time.perf_counter() - began, 6),
                **scope.get("served", {}),
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


class _Status:
    """Passes an answer on, and keeps its status."""

    def __init__(self, send: Any):
        self._send, self.code = send, _NO_ANSWER

    async def __call__(self, message):
        if message["type"] == "http.response.start":
            self.code = message["status"]
        await self._send(message)


async def _answer(send, refused: RefusedError) -> None:
    body = orjson.dumps(refused.body())
    headers = {
        "content-type": "application/json",
        "content-length": f"{len(body)}",
        "connection": "close",  # What else the client sends is not read.
        **refused.headers,
    }
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
