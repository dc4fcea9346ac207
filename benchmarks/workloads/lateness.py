"""Lateness: how long after its time a timer of 0.2 ms fires, by the wall clock."""

import statistics
from time import perf_counter

from benchmarks.peers.peer import Peer
from benchmarks.workload import Group, Row, Scale, Target, Workload

_DELAY = 0.0002
_TIMERS_PER_REPEAT = 150


def _lateness(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """Microseconds of lateness, and how many of the timers fired before their time.

    Each callback starts the next timer, after it has refreshed the loop's time where a loop caches
    it, so that a timer which fires early does so by the loop's own fault.
    """
    peer = peer_class()
    late: list[float] = []
    remaining = scale.repeats * _TIMERS_PER_REPEAT
    asked = 0.0
    timer: list = []

    def start() -> None:
        nonlocal asked, timer
        asked = perf_counter()
        peer.update()
        timer = peer.start_timers((_DELAY,), on_time)

    def on_time(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        late.append((perf_counter() - asked - _DELAY) * 1e6)
        remaining -= 1
        if remaining:
            start()
        else:
            peer.stop()

    start()
    peer.run()
    peer.close()
    return {
        "late-median": statistics.median(late),
        "late-p99": statistics.quantiles(late, n=100)[98],
        "late-early": sum(1 for lateness in late if lateness < 0.0),
    }


GROUP = Group(
    "lateness",
    "Lateness of a timer of 0.2 ms",
    (
        Workload(
            "lateness",
            _lateness,
            (
                Row("late-median", "median", "us", (Target(100.0, None),)),
                Row("late-p99", "99th percentile", "us"),
                Row("late-early", "early", "timers", (Target(0.0, None, worst=True),)),
            ),
        ),
    ),
)
