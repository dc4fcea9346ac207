"""Statistics as instruments of an OpenTelemetry meter, which asks for them when it exports.

OpenTelemetry has no histogram that is only observed, so of the histograms there are the count,
the sum, and gauges of quantiles.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider

from everloop import Loop
from everloop.monitoring.metrics import METRICS, Metric, values
from everloop.statistics import Histogram, Statistics

QUANTILES = (0.5, 0.9, 0.99)
# Seconds for which one snapshot serves all instruments of an export.
FRESH = 0.1

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def instrument(
    loop: Loop,
    meter_provider: MeterProvider | None = None,
    attributes: dict[str, str] | None = None,
) -> None:
    """Make observable instruments named everloop.* for the statistics of a loop.

    meter_provider: where; None for the global one. attributes: what tells the loop from others.

    A meter keeps its instruments, and they the loop, for as long as it lives.
    """
    provider = get_meter_provider() if meter_provider is None else meter_provider
    meter = provider.get_meter("everloop")
    source = Source(loop, attributes or {})
    for metric in METRICS:
        name = f"everloop.{metric.field}"
        about = {"unit": metric.unit or "1", "description": metric.description}
        if metric.field in Source.histograms:
            meter.create_observable_counter(f"{name}.count", [source.counts(metric)], "1")
            meter.create_observable_counter(f"{name}.sum", [source.sums(metric)], **about)
            meter.create_observable_gauge(name, [source.quantiles(metric)], **about)
        elif metric.grows:
            meter.create_observable_counter(name, [source.numbers(metric)], **about)
        else:
            meter.create_observable_gauge(name, [source.numbers(metric)], **about)


class Source:
    """The callbacks of the instruments of one loop."""

    histograms = ("timer_lateness", "callback_duration")

    def __init__(self, loop: Loop, attributes: dict[str, str]):
        self._loop = loop
        self._attributes = attributes
        self._lock = threading.Lock()
        self._taken: Statistics | None = None

    def _values(self, metric: Metric) -> Any:
        with self._lock:
            if self._taken is None or time.monotonic() - self._taken.time > FRESH:
                self._taken = self._loop.statistics()
            return values(metric, self._taken)

    def numbers(self, metric: Metric) -> Callback:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            for kind, value in self._values(metric).items():
                labels = {"kind": kind} if kind else {}
                yield Observation(value, {**self._attributes, **labels})

        return observe

    def counts(self, metric: Metric) -> Callback:
        return lambda options: [Observation(self._values(metric).count, self._attributes)]

    def sums(self, metric: Metric) -> Callback:
        return lambda options: [Observation(self._values(metric).sum, self._attributes)]

    def quantiles(self, metric: Metric) -> Callback:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            found: Histogram = self._values(metric)
            for q in QUANTILES:
                yield Observation(found.quantile(q), {**self._attributes, "quantile": str(q)})

        return observe
