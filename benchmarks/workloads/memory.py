"""Memory: by how much the resident set grows for each watcher."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

from benchmarks.callbacks import ignoring
from benchmarks.descriptors import idle_descriptors
from benchmarks.peers.peer import Peer
from benchmarks.workload import Group, Row, Scale, Target, Workload, single
from benchmarks.workloads.timers import settler

_TIMERS = 200_000
_WARM_UP = 100
_FILLING = 2000


def resident() -> int:
    """Bytes in use by this process; exact, where /proc/self/statm is off by up to 100s of KiB."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise OSError("no resident set in /proc/self/smaps_rollup")


def fill_holes() -> list[bytes]:
    """Use up what memory is resident but free, since growth into it would not be seen.

    There may be megabytes of it, for instance after modules were compiled. Small objects of all
    sizes fill the interpreter's own pools; the C library gives back what it can.
    """
    gc.collect()
    filling = [bytes(size) for size in range(1, 480, 16) for _ in range(_FILLING)]
    ctypes.CDLL(None).malloc_trim(0)
    return filling


def _growth(peer: Peer, make: Callable[[int], object], count: int) -> float:
    """Bytes per watcher of `count` made by `make(index)`, without the list that keeps them."""
    settle = settler(peer)
    kept: list[object] = [None] * (_WARM_UP + count)
    for index in range(_WARM_UP):
        kept[index] = make(index)
    settle()
    filling = fill_holes()
    before = resident()
    for index in range(_WARM_UP, _WARM_UP + count):
        kept[index] = make(index)
    settle()
    grown = resident() - before
    del filling
    return grown / count


def _io(peer_class: type[Peer], scale: Scale) -> float:
    """Bytes per idle watcher of a descriptor, each of its own."""
    peer = peer_class()
    ignore = ignoring(peer)
    with idle_descriptors(scale.watchers + _WARM_UP) as fds:
        return _growth(peer, lambda index: peer.watch(fds[index], ignore), scale.watchers)


def _timer(peer_class: type[Peer], scale: Scale) -> float:
    """Bytes per active timer."""
    peer = peer_class()
    ignore = ignoring(peer)
    after = [1000.0 + index / 1000 for index in range(_TIMERS + _WARM_UP)]

    def make(index: int) -> object:
        return peer.start_timers(after[index : index + 1], ignore)[0]

    return _growth(peer, make, _TIMERS)


def _workload(name: str, title: str, measure: Callable[[type[Peer], Scale], float]) -> Workload:
    """A figure that no slow spell changes, but that a second measurement in one process would.

    The bare loop over epoll has no watchers, but entries in a dict, and is shown for comparison.
    """
    return single(
        Row(name, title, "bytes", (Target(0.95),), incomparable=("epoll",)),
        measure,
        isolated=True,
        retaken=False,
    )


GROUP = Group(
    "memory",
    "Memory",
    (_workload("memory-io", "idle Io", _io), _workload("memory-timer", "Timer", _timer)),
)
