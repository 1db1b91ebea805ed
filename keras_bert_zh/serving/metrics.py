"""The Prometheus metrics of a server."""

from keras_bert_zh.extras import imported

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The metrics of one server, separate from those of other servers in this process.

    Attributes:
        registry: the Prometheus registry of the metrics.
    """

    def __init__(self) -> None:
        prometheus = imported("prometheus_client", "serve", "The server")
        self._expose = prometheus.generate_latest
        self.content_type = prometheus.CONTENT_TYPE_LATEST
        self.registry = prometheus.CollectorRegistry()
        for collector in ("ProcessCollector", "PlatformCollector", "GCCollector"):
            getattr(prometheus, collector)(registry=self.registry)

        def make(kind, name, text, labels=(), **more):
            made = getattr(prometheus, kind)
            return made(f"keras_bert_zh_{name}", text, labels, registry=self.registry, **more)

        self.requests = make(
            "Counter", "requests", "Requests, by path and status.", ("path", "status")
        )
        self.seconds = make(
            "Histogram",
            "request_seconds",
            "Seconds from a request to its answer.",
            ("path",),
            buckets=_SECONDS,
        )
        self.texts = make("Counter", "texts", "Texts that were computed.", ("task",))
        self.tokens = make("Counter", "tokens", "Tokens that were computed.", ("task",))
        self.queue_texts = make("Gauge", "queue_texts", "Texts in the queue.", ("task",))
        self.queue_tokens = make("Gauge", "queue_tokens", "Tokens in the queue.", ("task",))
        self.queue_seconds = make(
            "Histogram",
            "queue_seconds",
            "Seconds that a request waits in the queue.",
            ("task",),
            buckets=_SECONDS,
        )
        self.batch_texts = make(
            "Histogram", "batch_texts", "Texts in a batch.", ("task",), buckets=_TOKENS
        )
        self.batch_tokens = make(
            "Histogram", "batch_tokens", "Tokens in a batch.", ("task",), buckets=_TOKENS
        )
        self.batch_fill = make(
            "Histogram",
            "batch_fill",
            "Tokens in a batch, as a share of --batch-tokens.",
            ("task",),
            buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1),
        )
        self.batch_seconds = make(
            "Histogram", "batch_seconds", "Seconds of a batch.", ("task",), buckets=_SECONDS
        )

    def exposed(self) -> bytes:
        """Returns them in the text format of Prometheus."""
        return self._expose(self.registry)
