"""The same server on a Ray cluster, with as many replicas as needed."""

import dataclasses
import re
import signal
import threading
from typing import NamedTuple

from keras_bert_zh.extras import imported
from keras_bert_zh.quiet import SERVES
from keras_bert_zh.serving.make import Order
from keras_bert_zh.serving.options import Options

_USE, _EXTRA = "Serving on Ray", "serve-ray"

# How many requests one replica may work on at a time; they wait in its own queue, which refuses
# what is too much. Ray's default of 5 would leave nothing to batch.
_ONGOING = 1024

# Ray starts a replica more when there are more requests for each than this.
_WANTED = 32

_HEALTH_SECONDS = 5
_UPSCALE_SECONDS = 10


class Replicas(NamedTuple):
    """The smallest and the largest number of replicas."""

    least: int
    most: int


def parse_replicas(text: str) -> Replicas:
    """Reads `2` or `1:8`.

    Raises:
        ValueError: if it is neither.
    """
    found = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    least, most = (0, 0) if found is None else (int(found[1]), int(found[2] or found[1]))
    if not 1 <= least <= most:
        raise ValueError(f"--replicas must be a number such as 2, or a range 1:8, got {text!r}.")
    return Replicas(least, most)


def run(
    order: Order,
    options: Options,
    *,
    address: str | None,
    replicas: Replicas,
    host: str,
    port: int,
) -> None:
    """Serves on Ray until SIGTERM or SIGINT. Requests accepted until then are answered.

    Each replica exports the model on its own machine, unless this has been done before, so the
    source must be the same on all machines. A replica whose engine fails is replaced.

    Args:
        order: the model.
        options: Options of each replica. It computes with `threads` threads, or 1 if that is
            `None`, and Ray reserves the same number of CPUs.
        address: str, the cluster, such as `"auto"`; `None` starts one on this machine.
        replicas: Replicas; Ray chooses a number in this range by the load.
        host, port: where the proxies of Ray listen, unless the cluster already has proxies.

    Raises:
        ImportError: if Ray Serve is not installed.
        RuntimeError: if the replicas do not start.
    """
    ray, serve = imported("ray", _EXTRA, _USE), imported("ray.serve", _EXTRA, _USE)
    ray.init(address, log_to_driver=False, include_dashboard=False)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # Ray has set its own.
        signal.signal(number, lambda *_: stopped.set())
    serve.start(http_options={"host": host, "port": port})
    threads = options.threads or 1
    options = dataclasses.replace(options, threads=threads)
    deployment = serve.deployment(
        _replica(order, options),
        name="server",
        max_ongoing_requests=_ONGOING,
        health_check_period_s=_HEALTH_SECONDS,
        graceful_shutdown_timeout_s=options.timeout,
        autoscaling_config={
            "min_replicas": replicas.least,
            "max_replicas": replicas.most,
            "target_ongoing_requests": _WANTED,
            "upscale_delay_s": _UPSCALE_SECONDS,
        },
        ray_actor_options={
            "num_cpus": threads,
            "runtime_env": {"env_vars": {SERVES: "1"}},
        },
    )
    serve.run(deployment.bind(), name=options.name, route_prefix="/")
    print(f"Serving {options.name} on http://{host}:{port}, API page at /docs.", flush=True)
    stopped.wait()
    # Other applications of a cluster stay.
    serve.delete(options.name)
    if address is None:
        serve.shutdown()


def _replica(order: Order, options: Options) -> type:
    """Returns the class of the deployment."""
    from ray import serve

    def build():
        from keras_bert_zh.serving.app import create_app
        from keras_bert_zh.serving.prepare import prepared
        from keras_bert_zh.serving.served_model import ServedModel
        from keras_bert_zh.serving.service import Service

        models = [ServedModel(x, options.engine, options.threads) for x in prepared(order)]
        return create_app(Service(models, options))

    @serve.ingress(build)
    class Replica:
        """One server."""

        def check_health(self):
            """Raises what the computing thread has ended with: Ray replaces the replica then."""
            error = self.app.state.service.error
            if error is not None:
                raise RuntimeError(f"The computing thread ended: {error!r}.") from error

    return Replica
