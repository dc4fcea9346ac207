"""Timers: create and start, reset, stop and fire, among few and among very many."""

import gc
import random
from collections.abc import Callable, Sequence
from time import sleep

from benchmarks.callbacks import ignoring
from benchmarks.peers.peer import Callback, Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, Workload, single

FEW = 1000
_BATCH = 1000  # which come and go on top of half as many that stay
_RESETS = 1000
_RESET_DELAY = 3000.0


def delays(count: int, low: float, high: float) -> list[float]:
    """Random delays, the same for every peer."""
    generator = random.Random(count)
    return [generator.uniform(low, high) for _ in range(count)]


def settler(peer: Peer) -> Callable[[], None]:
    """What lets the loop run for a pass, so that whatever it does later is done."""
    wake = peer.waker(lambda *_: peer.stop())

    def settle() -> None:
        wake()
        peer.run()

    return settle


def _start_stop_few(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """CPU time per timer created and started, and stopped, with 1,000 active on average."""
    peer = peer_class()
    settle = settler(peer)
    ignore = ignoring(peer)
    population = peer.start_timers(delays(FEW - _BATCH // 2, 1000.0, 5000.0), ignore)
    after = delays(_BATCH, 1000.0, 5000.0)

    spent: list[tuple[float, float]] = []

    def run(count: int) -> int:
        batches = max(1, count // _BATCH)
        started = stopped = 0
        for _ in range(batches):
            timers: list = []
            started += cpu_ns(lambda into=timers: into.extend(peer.start_timers(after, ignore)))
            stopped += cpu_ns(peer.stop_timers, timers)
            settle()
        spent.append((started / (batches * _BATCH), stopped / (batches * _BATCH)))
        return (started + stopped) * count // (batches * _BATCH)

    per_operation(run, scale)
    starts, stops = zip(*spent[-scale.repeats :], strict=True)
    figures = {"timer-start-few": min(starts), "timer-stop-few": min(stops)}
    peer.close()
    del population
    return figures


def fire(
    peer: Peer, start: Callable[[Sequence[float], Callback], list], count: int, low: float
) -> int:
    """CPU time of the passes in which `count` timers fire that are all overdue.

    `start` starts timers with the given delays, at random between `low` and twice that; one more
    timer, due after all others, stops the loop.
    """
    timers = start(delays(count - 1, low, 2 * low), ignoring(peer))
    timers += start([4 * low], lambda *_: peer.stop())
    gc.collect()
    sleep(6 * low)
    return cpu_ns(peer.run)


def fire_few(
    start: Callable[[Peer], Callable[[Sequence[float], Callback], list]],
    peer_class: type[Peer],
    scale: Scale,
) -> float:
    """CPU time per timer, in the fastest of several times 1,000 that fire."""
    peer = peer_class()
    times = 10 * scale.repeats
    figure = min(fire(peer, start(peer), FEW, 0.001) for _ in range(times)) / FEW
    peer.close()
    return figure


def _fire_few(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per timer fired, 1,000 at once."""
    return fire_few(lambda peer: peer.start_timers, peer_class, scale)


def _fire_many(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per timer fired, a great many at once."""
    peer = peer_class()
    figure = fire(peer, peer.start_timers, scale.many, 0.02) / scale.many
    peer.close()
    return figure


def _among_many(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """CPU time per timer created and started, reset and stopped among a great many."""
    peer = peer_class()
    settle = settler(peer)
    ignore = ignoring(peer)
    population = peer.start_timers(delays(scale.many, 1000.0, 5000.0), ignore)
    after = delays(scale.many // 10, 1000.0, 5000.0)
    started, stopped = [], []
    for _ in range(scale.repeats):
        gc.collect()
        timers: list = []
        started.append(cpu_ns(lambda into=timers: into.extend(peer.start_timers(after, ignore))))
        stopped.append(cpu_ns(peer.stop_timers, timers))
        settle()
    figures = {
        "timer-start-many": min(started) / len(after),
        "timer-stop-many": min(stopped) / len(after),
        "timer-reset-many": _reset(peer, scale),
    }
    peer.close()
    del population
    return figures


def _reset(peer: Peer, scale: Scale) -> float:
    """CPU time per reset of repeating timers, which all have the same repeat.

    So do the timeouts of connections, each of which is pushed back whenever something arrives.
    """
    ignore = ignoring(peer)
    timers = peer.start_repeating(_RESETS, _RESET_DELAY, ignore)
    times = []
    for _ in range(10 * scale.repeats):
        peer.update()
        times.append(cpu_ns(peer.reset_timers, timers, _RESET_DELAY, ignore))
    return min(times) / _RESETS


GROUP = Group(
    "timers",
    "Timers",
    (
        Workload(
            "timers-few",
            _start_stop_few,
            (
                Row("timer-start-few", "create + start, 1,000 active", "ns/timer", (Target(0.6),)),
                Row("timer-stop-few", "stop, 1,000 active", "ns/timer"),
            ),
        ),
        single(Row("timer-fire-few", "fire 1,000", "ns/timer", (Target(0.8),)), _fire_few),
        Workload(
            "timers-many",
            _among_many,
            (
                Row(
                    "timer-start-many",
                    "create + start, {many:,} active",
                    "ns/timer",
                    (Target(0.6),),
                ),
                Row("timer-reset-many", "reset, {many:,} active", "ns/timer", (Target(1.0),)),
                Row("timer-stop-many", "stop, {many:,} active", "ns/timer"),
            ),
            isolated=True,
        ),
        single(
            Row("timer-fire-many", "fire {many:,}", "ns/timer", (Target(1.0),)),
            _fire_many,
            isolated=True,
        ),
    ),
)
