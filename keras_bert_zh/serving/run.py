"""Runs a server in this process, until it is told to stop."""

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

from keras_bert_zh.serving.app import create_app
from keras_bert_zh.serving.options import Options
from keras_bert_zh.serving.served_model import ServedModel
from keras_bert_zh.serving.service import Service

# How long requests that were taken may go on after the server was told to stop: as long as the
# server lets them, and what it takes to send the answers.
_TO_SEND = 5


class _Server(uvicorn.Server):
    """Prints when it listens, and refuses requests after it was told to stop."""

    def __init__(self, config: uvicorn.Config, service: Service):
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for host, port, *_ in [each.getsockname() for each in sockets or ()]:
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            name = self._service.options.name
            print(f"Serving {name} on http://{place}, API page at /docs.", flush=True)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._service.is_draining = True
        super().handle_exit(sig, frame)


def run(models: Sequence[ServedModel], options: Options, place: socket.socket) -> None:
    """Serves models until SIGTERM or SIGINT.

    Then it accepts no more requests, answers those it has accepted, and returns.

    Args:
        models: the models to serve; the outputs of the first one are served.
        options: Options.
        place: the socket that `bound` returned.

    Raises:
        RuntimeError: if a computing thread has ended with an error.
    """
    server: _Server

    def on_death() -> None:
        server.should_exit = True

    service = Service(models, options, on_death)
    config = uvicorn.Config(
        create_app(service),
        log_level="warning",
        access_log=False,
        # Then what waits is given up, with an error to each client.
        timeout_graceful_shutdown=round(options.timeout) + _TO_SEND,
    )
    server = _Server(config, service)
    server.run(sockets=[place])
    if service.error is not None:
        raise RuntimeError(f"The computing thread ended: {service.error!r}.") from service.error
