"""What is counted, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "headstart_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "headstart_request_seconds",
            "Until the answer is sent.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._sizes = Histogram(
            "headstart_batch_inputs", "Inputs computed together.", buckets=_SIZES, registry=self._registry
        )
        self._inputs = Counter("headstart_inputs", "Inputs answered.", ["model", "error"], registry=self._registry)
        Gauge("headstart_queue_inputs", "Inputs that are waited for.", registry=self._registry).set_function(waiting)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, inputs: int) -> None:
        """Inputs that are computed together."""
        self._sizes.observe(inputs)

    def inputs(self, model: str, *, usable: int, errors: int) -> None:
        """Inputs that were answered, and those that could not be used."""
        self._inputs.labels(model, "no").inc(usable)
        if errors:
            self._inputs.labels(model, "yes").inc(errors)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)
