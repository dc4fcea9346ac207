"""Statistics: what a loop has done so far, as `Loop.statistics` tells it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from everloop.constants import (
    EV_ASYNC,
    EV_CHECK,
    EV_CHILD,
    EV_EMBED,
    EV_FORK,
    EV_IDLE,
    EV_PERIODIC,
    EV_PREPARE,
    EV_READ,
    EV_SIGNAL,
    EV_STAT,
    EV_TIMER,
    EV_WRITE,
)

# The kinds of watchers, and the events that they are called with.
KINDS = {
    "io": EV_READ | EV_WRITE,
    "timer": EV_TIMER,
    "periodic": EV_PERIODIC,
    "signal": EV_SIGNAL,
    "child": EV_CHILD,
    "stat": EV_STAT,
    "idle": EV_IDLE,
    "prepare": EV_PREPARE,
    "check": EV_CHECK,
    "embed": EV_EMBED,
    "fork": EV_FORK,
    "async": EV_ASYNC,
}

# Where the first bucket of a histogram ends, in nanoseconds; each later one ends at twice that.
FIRST_BOUND = 1 << 10


# What is of the moment; all the rest of a Statistics only grows.
NOW = {
    "time",
    "pending",
    "pending_most",
    "ready",
    "ready_most",
    "watchers",
    "timers",
    "descriptors",
    "transports",
}


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often spans of time of each length were seen.

    bounds: where each bucket ends, in seconds, inclusive; the last one is infinity. The same
    for every histogram, each twice the one before.
    counts: how many were seen in each bucket.
    sum: of all of them, in seconds.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def count(self) -> int:
        """How many were seen."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Their mean in seconds; 0 if there were none."""
        return self.sum / self.count if self.count else 0.0

    def quantile(self, q: float) -> float:
        """The length in seconds that a share q of them does not exceed; 0 if there were none.

        q: from 0 to 1: 0.5 is the median. As exact as the buckets, in which lengths are taken
        to be spread evenly; what is beyond the last finite bound counts as that.

        Raises ValueError for q out of range.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"q must be from 0 to 1, not {q!r}")
        left = q * self.count
        begin = 0.0
        for bound, count in zip(self.bounds[:-1], self.counts, strict=False):
            if count and left <= count:
                return begin + (bound - begin) * left / count
            left -= count
            begin = bound
        return begin if self.count else 0.0

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was seen after an earlier histogram of the same loop was taken."""
        counts = tuple(now - then for now, then in zip(self.counts, earlier.counts, strict=True))
        return Histogram(self.bounds, counts, self.sum - earlier.sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a loop has done since it was made, and what it has to do now.

    Numbers that are said to be "now" are of the moment; all others only grow, so that two
    snapshots tell what happened between them (`since`).

    time: when it was taken, in seconds of the monotonic clock (`time.monotonic`).
    seconds: what it is about: from the loop's making, or from the earlier snapshot of `since`.
    busy: seconds that the loop ran and did not wait.
    blocked: seconds that it waited for something to happen.
    passes: turns of the loop, each of which may poll.
    polls: times that the kernel was asked for events.
    blocked_waits: those of them that could take time.
    wakeups: waits that other threads or signals have ended.
    events: callbacks of watchers, by the kind of the event: "io", "timer" and so on; "fed" for
    those of a program's own that `Watcher.feed` was given. What asyncio's transports and timers
    get is counted with "io" and "timer".
    calls: callbacks of asyncio's: `call_soon` and its relatives, steps of tasks among them.
    pending: events that wait for their callbacks now.
    pending_most: the most events that have waited at once, of one priority.
    ready: calls of asyncio's that are to be made now.
    ready_most: the most of them that were ready when a round of calls began.
    watchers: those that are active or pending now, the loop's own included.
    timers: times that are waited for now.
    descriptors: `Io` watchers that are active now, a transport's directions included.
    timer_lateness: how long after its time the loop noticed that a timer was due. All of them.
    callback_duration: how long callbacks and calls took. Those of one pass in 127 are timed.
    transports: connections and datagram sockets that asyncio's transports have now.
    transports_made: how many there were since.
    bytes_received, bytes_sent: by transports, as the kernel saw them: with TLS, encrypted.

    `busy` and `blocked` are told by a clock that ticks some hundred times a second: in the long
    run that averages out. Passes with EVRUN_NOWAIT are not counted in them.
    """

    time: float
    seconds: float
    busy: float
    blocked: float
    passes: int
    polls: int
    blocked_waits: int
    wakeups: int
    events: Mapping[str, int]
    calls: int
    pending: int
    pending_most: int
    watchers: int
    timers: int
    descriptors: int
    timer_lateness: Histogram
    callback_duration: Histogram
    # Of an EventLoop.
    ready: int = 0
    ready_most: int = 0
    transports: int = 0
    transports_made: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0

    @property
    def callbacks(self) -> int:
        """All callbacks that were called: of watchers and of asyncio's."""
        return sum(self.events.values()) + self.calls

    @property
    def utilisation(self) -> float:
        """The share of its time that the loop was busy, from 0 to 1; 0 if it never ran."""
        total = self.busy + self.blocked
        return min(max(self.busy / total, 0.0), 1.0) if total > 0.0 else 0.0

    def since(self, earlier: "Statistics") -> "Statistics":
        """What happened after an earlier snapshot of the same loop.

        What is "now", and the most there have been, stay as they are here.
        """
        values = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name not in NOW:
                value = difference(value, getattr(earlier, each.name))
            values[each.name] = value
        return Statistics(**values)

    def as_dict(self) -> dict[str, Any]:
        """The same for json.dumps(): what asdict() gives, with `callbacks` and `utilisation`.

        A histogram tells count, sum, mean, p50, p90 and p99 beside its counts; of its bounds,
        the last one is left out, since JSON has no infinity.
        """
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in values.items():
            if isinstance(value, Histogram):
                values[name] = {
                    "count": value.count,
                    "sum": value.sum,
                    "mean": value.mean,
                    **{f"p{each}": value.quantile(each / 100) for each in (50, 90, 99)},
                    "bounds": list(value.bounds[:-1]),
                    "counts": list(value.counts),
                }
        return {
            **values,
            "events": dict(self.events),
            "callbacks": self.callbacks,
            "utilisation": self.utilisation,
        }


def difference(now: Any, then: Any) -> Any:
    if isinstance(now, Histogram):
        return now.since(then)
    if isinstance(now, Mapping):
        return {name: count - then.get(name, 0) for name, count in now.items()}
    return now - then


def told(counts: dict[str, Any]) -> Statistics:
    """The statistics that a loop's own numbers are; those are in nanoseconds."""
    now = time.monotonic()
    made = counts.pop("made") / 1e9
    return Statistics(
        **{
            **counts,
            "time": now,
            "seconds": now - made,
            "busy": counts["busy"] / 1e9,
            "blocked": counts["blocked"] / 1e9,
            "events": by_kind(counts["events"]),
            "timer_lateness": histogram(*counts["timer_lateness"]),
            "callback_duration": histogram(*counts["callback_duration"]),
        }
    )


def by_kind(counts: list[int]) -> dict[str, int]:
    """From how many callbacks each bit of revents led to."""
    kinds = {
        kind: sum(count for bit, count in enumerate(counts) if events >> bit & 1)
        for kind, events in KINDS.items()
    }
    return {**kinds, "fed": sum(counts) - sum(kinds.values())}


def histogram(counts: list[int], total: int) -> Histogram:
    bounds = [(FIRST_BOUND << place) / 1e9 for place in range(len(counts) - 1)]
    return Histogram((*bounds, float("inf")), tuple(counts), total / 1e9)
