"""The metrics that are made of a loop's statistics, for whatever collects them."""

from dataclasses import dataclass

from everloop.statistics import NOW, Histogram, Statistics


@dataclass(frozen=True)
class Metric:
    """A number of `Statistics` as monitoring systems know it.

    field: its attribute there. unit: "s", "By", or "" for a count.
    """

    field: str
    unit: str
    description: str

    @property
    def grows(self) -> bool:
        return self.field not in NOW


METRICS = (
    Metric("busy", "s", "Time that the loop ran and did not wait"),
    Metric("blocked", "s", "Time that the loop waited"),
    Metric("passes", "", "Turns of the loop"),
    Metric("polls", "", "Times that the kernel was asked for events"),
    Metric("blocked_waits", "", "Times that the loop waited for the kernel"),
    Metric("wakeups", "", "Waits ended by other threads or signals"),
    Metric("events", "", "Callbacks of watchers, by the kind of event"),
    Metric("calls", "", "Callbacks of asyncio, steps of tasks among them"),
    Metric("pending", "", "Events that wait for their callbacks"),
    Metric("pending_most", "", "The most events that have waited at once"),
    Metric("ready", "", "Calls of asyncio that are to be made"),
    Metric("ready_most", "", "The most calls that have been ready at once"),
    Metric("watchers", "", "Watchers that are active or pending"),
    Metric("timers", "", "Times that are waited for"),
    Metric("descriptors", "", "Descriptors that are watched"),
    Metric("timer_lateness", "s", "How late timers were noticed to be due"),
    Metric("callback_duration", "s", "How long callbacks took, a sample"),
    Metric("transports", "", "Connections and datagram sockets of transports"),
    Metric("transports_made", "", "Transports since the loop was made"),
    Metric("bytes_received", "By", "Received by transports"),
    Metric("bytes_sent", "By", "Sent by transports"),
)


def values(metric: Metric, statistics: Statistics) -> dict[str, float] | Histogram:
    """By the kind of event, or by "" if there is one number only; or the histogram."""
    value = getattr(statistics, metric.field)
    if isinstance(value, Histogram):
        return value
    return dict(value) if metric.field == "events" else {"": value}
