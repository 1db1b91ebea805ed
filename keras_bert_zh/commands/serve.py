"""`serve MODEL`: answers requests over HTTP."""

import argparse
import dataclasses
import math
import pathlib
import re
import signal
import sys
from typing import Any

from keras_bert_zh.arguments import check_int
from keras_bert_zh.checkpoints.pooling import MODES
from keras_bert_zh.commands.options import DTYPES, ENGINES
from keras_bert_zh.extras import imported
from keras_bert_zh.serving.options import Options, read_keys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Options()
    parser.add_argument(
        "model",
        metavar="MODEL",
        help='"small", a path or a URL, as for load_checkpoint; a .keras file of a model; or a '
        "folder that export has written",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="the engine that computes (default: onnxruntime; for a folder of export, the first "
        "engine of its format)",
    )
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="the dtype that weights are stored in, or products computed in (default: float32)",
    )
    parser.add_argument(
        "--pooling",
        choices=MODES,
        help="how the vector of a text is computed (default: as MODEL says)",
    )
    parser.add_argument(
        "--max-length", type=int, help="the most tokens of a text (default: as MODEL says)"
    )
    parser.add_argument("--pairs", action="store_true", help="the model takes pairs of texts")
    parser.add_argument(
        "--fill-mask",
        action="store_true",
        help="also predict tokens for [MASK]; this takes the memory of the weights a second time",
    )
    parser.add_argument(
        "--name", help="the name of the model for clients (default: taken from MODEL)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="the port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--batch-tokens",
        type=int,
        default=default.batch_tokens,
        help="the number of tokens in a batch (default: %(default)s)",
    )
    parser.add_argument(
        "--max-wait-ms",
        type=float,
        default=default.max_wait_ms,
        help="the milliseconds that an idle engine waits for more texts (default: %(default)g)",
    )
    parser.add_argument(
        "--queue-tokens",
        type=int,
        default=default.queue_tokens,
        help="the most tokens that may wait; further requests get 429 (default: %(default)s)",
    )
    parser.add_argument(
        "--max-texts",
        type=int,
        default=default.max_texts,
        help="the most texts in a request (default: %(default)s)",
    )
    parser.add_argument(
        "--max-body-mb",
        type=float,
        default=default.max_body_bytes / 2**20,
        help="the largest size of a request in MiB (default: %(default)g)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=default.timeout,
        help="the seconds after which a request gets 504 (default: %(default)g)",
    )
    parser.add_argument(
        "--threads", type=int, help="the number of threads that compute (default: the engine's)"
    )
    parser.add_argument(
        "--api-key-file",
        metavar="F",
        help="a file of keys, one per line; each request needs one of them",
    )
    parser.add_argument(
        "--access-log", action="store_true", help="write a line of JSON for each request"
    )
    parser.add_argument("--ray", action="store_true", help="serve on the machines of a Ray cluster")
    parser.add_argument(
        "--address", help="the Ray cluster, such as auto (default: start one on this machine)"
    )
    parser.add_argument(
        "--replicas",
        metavar="N:M",
        help="the number of replicas: Ray starts N to M, depending on the load (default: 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    for module in ("fastapi", "orjson", "prometheus_client", "uvicorn"):
        imported(module, "serve", "The server")
    options = _options(arguments)
    # Until the server has its own: what exports the model ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    from keras_bert_zh.export.description import is_exported
    from keras_bert_zh.serving.make import Order

    order = Order(
        arguments.model,
        arguments.engine or "onnxruntime",
        dtype=arguments.dtype,
        pooling=arguments.pooling,
        max_length=arguments.max_length,
        pairs=arguments.pairs,
        fill_mask=arguments.fill_mask,
    )
    if options.engine is None and not is_exported(arguments.model):
        options = dataclasses.replace(options, engine=order.engine)
    if arguments.ray:
        _on_ray(arguments, order, options)
    else:
        _here(arguments, order, options)
    return 0


def _here(arguments: argparse.Namespace, order: Any, options: Options) -> None:
    from keras_bert_zh.serving.address import bound
    from keras_bert_zh.serving.prepare import prepared

    with bound(arguments.host, arguments.port) as place:
        folders = prepared(order)
        from keras_bert_zh.serving.run import run as serve
        from keras_bert_zh.serving.served_model import ServedModel

        serve([ServedModel(x, options.engine, options.threads) for x in folders], options, place)


def _on_ray(arguments: argparse.Namespace, order: Any, options: Options) -> None:
    from keras_bert_zh.serving import on_ray

    on_ray.run(
        order,
        options,
        address=arguments.address,
        replicas=on_ray.parse_replicas(arguments.replicas or "1"),
        host=arguments.host,
        port=arguments.port,
    )


def _options(arguments: argparse.Namespace) -> Options:
    ints = {"batch_tokens": 1, "queue_tokens": 1, "max_texts": 1, "threads": 1, "max_length": 3}
    for name, least in ints.items():
        if getattr(arguments, name) is not None:
            check_int(f"--{name.replace('_', '-')}", getattr(arguments, name), least)
    for name, lowest in {"max_wait_ms": 0.0, "max_body_mb": 0.001, "timeout": 0.001}.items():
        value = getattr(arguments, name)
        if not lowest <= value < math.inf:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} must be {lowest:g} or more, got {value:g}.")
    for name in ("address", "replicas"):
        if getattr(arguments, name) is not None and not arguments.ray:
            raise ValueError(f"--{name} is only used with Ray: add --ray.")
    name = arguments.name or _name(arguments.model)
    if not re.fullmatch(r"[\w.@/-]+", name):
        raise ValueError(
            "--name is used in URL paths and may only contain letters, digits and ./@_-, got "
            f"{name!r}."
        )
    keys = () if arguments.api_key_file is None else read_keys(arguments.api_key_file)
    return Options(
        name=name,
        batch_tokens=arguments.batch_tokens,
        max_wait_ms=arguments.max_wait_ms,
        queue_tokens=arguments.queue_tokens,
        max_texts=arguments.max_texts,
        max_body_bytes=int(arguments.max_body_mb * 2**20),
        timeout=arguments.timeout,
        threads=arguments.threads,
        engine=arguments.engine,
        keys=keys,
        access_log=arguments.access_log,
    )


def _name(model: str) -> str:
    """Returns the last part of a path or a URL, without what no path of a request can hold."""
    last = pathlib.PurePath(model.rstrip("/")).name.removesuffix(".keras")
    return re.sub(r"[^\w.@-]+", "-", last) or "bert"
