"""Signals, children, absolute timers and paths."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.callbacks import ignoring
from benchmarks.peers.peer import Callback, Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, Workload, single
from benchmarks.workloads.timers import FEW, delays, fire_few

_CHILDREN = 50
_PATHS = 1000
# Where changes of a path are noticed without polling.
_MEMORY_FILES = Path("/dev/shm")


def _signals(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per signal: each callback raises the next one."""
    peer = peer_class()
    remaining = 0

    def on_signal(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining:
            signal.raise_signal(signal.SIGUSR1)
        else:
            peer.stop()

    def run(count: int) -> int:
        nonlocal remaining
        remaining = count
        raise_first()
        return cpu_ns(peer.run)

    watcher = peer.on_signal(signal.SIGUSR1, on_signal)
    # Some loops hear of signals only while they run.
    raise_first = peer.waker(lambda *_: signal.raise_signal(signal.SIGUSR1))
    figure = per_operation(run, scale)
    peer.close()
    del watcher
    return figure


def _children(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per child to learn of its end and to reap it, all ending at once."""
    peer = peer_class.for_children()
    remaining = 0

    def on_exit(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        remaining -= 1
        if not remaining:
            peer.stop()

    def run() -> int:
        nonlocal remaining
        remaining = _CHILDREN
        reader, writer = os.pipe()
        watchers = [peer.on_child(_spawn(reader), on_exit) for _ in range(_CHILDREN)]
        os.close(reader)
        os.close(writer)
        spent = cpu_ns(peer.run)
        del watchers
        return spent

    return min(run() for _ in range(2 * scale.repeats)) / _CHILDREN


def _spawn(pipe: int) -> int:
    """A child that ends at the end of the pipe."""
    redirect = [(os.POSIX_SPAWN_DUP2, pipe, 0)]
    return os.posix_spawnp("cat", ["cat"], os.environ, file_actions=redirect)


def _periodics(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """CPU time per absolute timer created and started, and fired, 1,000 at once."""
    return {
        "periodic-start": _start_periodics(peer_class, scale),
        "periodic-fire": fire_few(_periodic_starter, peer_class, scale),
    }


def _start_periodics(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per absolute timer created and started."""
    now = time.time()
    offsets = [now + delay for delay in delays(FEW, 1000.0, 5000.0)]
    times = []
    for _ in range(10 * scale.repeats):
        peer = peer_class()
        times.append(cpu_ns(peer.start_periodics, offsets, ignoring(peer)))
        peer.close()
    return min(times) / FEW


def _periodic_starter(peer: Peer) -> Callable[[Sequence[float], Callback], list]:
    """What starts absolute timers with given delays from now."""

    def start(after: Sequence[float], callback: Callback) -> list:
        now = time.time()
        return peer.start_periodics([now + delay for delay in after], callback)

    return start


def _stats(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """CPU time per path watched, and per change (made here) noticed among 1,000 paths."""
    peer = peer_class()
    remaining = size = 0

    def change_next() -> None:
        """Give the next file a size that none has had, as times are compared in whole seconds."""
        nonlocal size
        size += 1
        os.truncate(paths[size % _PATHS], size)

    def on_change(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining:
            change_next()
        else:
            peer.stop()

    def run(count: int) -> int:
        nonlocal remaining
        remaining = count
        change_next()
        return cpu_ns(peer.run)

    with _files() as paths:
        stats: list = []
        started = cpu_ns(lambda into=stats: into.extend(peer.start_stats(paths, on_change)))
        noticed = per_operation(run, scale)
        peer.close()
        del stats
    return {"stat-start": started / _PATHS, "stat-change": noticed}


@contextmanager
def _files() -> Iterator[list[str]]:
    """The paths of 1,000 empty files."""
    parent = _MEMORY_FILES if _MEMORY_FILES.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        paths = [f"{directory}/{number}" for number in range(_PATHS)]
        for path in paths:
            Path(path).touch()
        yield paths


GROUP = Group(
    "other",
    "Signals, children, Periodic, Stat",
    (
        single(Row("signal", "signal raised and delivered", "ns/signal", (Target(1.0),)), _signals),
        single(Row("child", "child's end noticed", "ns/child"), _children),
        Workload(
            "periodic",
            _periodics,
            (
                Row("periodic-start", "Periodic, create + start 1,000", "ns/timer"),
                Row("periodic-fire", "Periodic, fire 1,000", "ns/timer"),
            ),
        ),
        Workload(
            "stat",
            _stats,
            (
                Row("stat-start", "Stat, create + start 1,000", "ns/path"),
                Row("stat-change", "Stat, change among 1,000", "ns/change"),
            ),
        ),
    ),
)
