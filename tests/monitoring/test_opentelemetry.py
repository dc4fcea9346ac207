"""The meter: statistics as a collector of OpenTelemetry's gets them."""

import pytest

pytest.importorskip("opentelemetry.sdk.metrics")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from everloop.monitoring import opentelemetry as module
from everloop.monitoring.opentelemetry import instrument


@pytest.fixture
def collect(loop, monkeypatch):
    """A function that collects the metrics of the loop, as name: [data points]."""
    monkeypatch.setattr(module, "FRESH", 0.0)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrument(loop, provider, {"loop": "first"})

    def collect():
        data = reader.get_metrics_data()
        found = [
            metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics
        ]
        return {metric.name: metric for metric in found}

    yield collect
    provider.shutdown()


def points(metric):
    return {
        tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points
    }


def test_what_is_collected(loop, collect):
    loop.timer(0.0, 0.0, lambda watcher, revents: None).start()
    loop.timer(60.0, 0.0, lambda watcher, revents: None).start()
    loop.start(1)
    found = collect()
    assert points(found["everloop.passes"]) == {(("loop", "first"),): 1}
    assert points(found["everloop.timers"]) == {(("loop", "first"),): 1}
    assert points(found["everloop.events"])[("kind", "timer"), ("loop", "first")] == 1
    assert points(found["everloop.timer_lateness.count"]) == {(("loop", "first"),): 1}
    quantiles = {dict(key)["quantile"] for key in points(found["everloop.timer_lateness"])}
    assert quantiles == {"0.5", "0.9", "0.99"}
    assert found["everloop.busy"].unit == "s"
    assert found["everloop.passes"].data.is_monotonic


def test_it_is_collected_again(loop, collect):
    assert points(collect()["everloop.passes"]) == {(("loop", "first"),): 0}
    loop.start(1)
    loop.start(1)
    assert points(collect()["everloop.passes"]) == {(("loop", "first"),): 2}
