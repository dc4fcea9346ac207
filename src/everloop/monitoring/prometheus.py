"""Statistics in the text format of Prometheus, version 0.0.4."""

from collections.abc import Iterator

from everloop.monitoring.metrics import METRICS, Metric, values
from everloop.statistics import Histogram, Statistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNITS = {"s": "_seconds", "By": "", "": ""}


def exposed(statistics: Statistics) -> str:
    """All metrics of a loop, as Prometheus scrapes them."""
    lines = [line for metric in METRICS for line in lines_of(metric, values(metric, statistics))]
    return "\n".join(lines) + "\n"


def lines_of(metric: Metric, found: dict[str, float] | Histogram) -> Iterator[str]:
    name = f"everloop_{metric.field}{UNITS[metric.unit]}"
    if isinstance(found, Histogram):
        kind = "histogram"
    elif metric.grows:
        kind, name = "counter", f"{name}_total"
    else:
        kind = "gauge"
    yield f"# HELP {name} {metric.description}."
    yield f"# TYPE {name} {kind}"
    if isinstance(found, Histogram):
        yield from buckets(name, found)
        return
    for label, value in found.items():
        labels = f'{{kind="{label}"}}' if label else ""
        yield f"{name}{labels} {number(value)}"


def buckets(name: str, histogram: Histogram) -> Iterator[str]:
    """Each counts what is below its bound, too."""
    total = 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=True):
        total += count
        yield f'{name}_bucket{{le="{number(bound)}"}} {total}'
    yield f"{name}_sum {number(histogram.sum)}"
    yield f"{name}_count {total}"


def number(value: float) -> str:
    return "+Inf" if value == float("inf") else repr(value)
