"""A ring of socketpairs through which one byte goes round: each event is a pass of its own."""

import os
from collections.abc import Callable
from functools import partial

from benchmarks.callbacks import ignoring
from benchmarks.descriptors import socketpairs
from benchmarks.peers.peer import Callback, Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, single

_PAIRS = 1000
_TIMEOUT = 10.0


def _ring(with_timers: bool, peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per event, that is to read the byte and to write it to the next pair."""
    peer = peer_class()
    read, write, stop = os.read, os.write, peer.stop
    remaining = 0

    def passer_on(source: int, sink: int, reset: Callable[[], object] | None) -> Callback:
        """The callback of one pair; at the end the byte goes on, ready for the next run."""

        def pass_on(_watcher: object = None, _revents: object = None) -> None:
            nonlocal remaining
            read(source, 1)
            write(sink, b"x")
            remaining -= 1
            if not remaining:
                stop()

        if reset is None:
            return pass_on

        def pass_on_and_reset(_watcher: object = None, _revents: object = None) -> None:
            nonlocal remaining
            reset()
            read(source, 1)
            write(sink, b"x")
            remaining -= 1
            if not remaining:
                stop()

        return pass_on_and_reset

    def run(count: int) -> int:
        nonlocal remaining
        remaining = count
        return cpu_ns(peer.run)

    with socketpairs(_PAIRS) as pairs:
        ignore = ignoring(peer)
        watchers = []
        for index, (source, _) in enumerate(pairs):
            sink = pairs[(index + 1) % _PAIRS][1]
            reset = peer.resetter(_TIMEOUT, ignore) if with_timers else None
            watchers.append(peer.watch(source, passer_on(source, sink, reset)))
        write(pairs[0][1], b"x")
        figure = per_operation(run, scale)
        peer.close()
        del watchers
    return figure


GROUP = Group(
    "ring",
    f"A byte through a ring of {_PAIRS:,} socketpairs",
    (
        single(Row("ring", "one byte", "ns/event", (Target(0.97),)), partial(_ring, False)),
        single(
            Row("ring-timers", "with a timer reset", "ns/event", (Target(0.97),)),
            partial(_ring, True),
        ),
    ),
)
