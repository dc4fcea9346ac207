"""Peers with the watcher interface of libev's Python bindings: everloop, libev and the floor."""

from collections.abc import Callable, Sequence
from itertools import repeat
from types import ModuleType
from typing import Any

from benchmarks.outcomes import Unavailable
from benchmarks.peers.peer import Callback, Peer, Switch


class WatcherPeer(Peer):
    """Drives `module.Loop` and its watchers."""

    module: ModuleType

    def __init__(self, loop: Any = None) -> None:
        self.loop = self.module.Loop() if loop is None else loop
        self.run = self.loop.start
        self.stop = self.loop.stop
        self.update = self.loop.update
        self.read = self.module.EV_READ
        self.read_write = self.module.EV_READ | self.module.EV_WRITE

    def watch(self, fd: int, callback: Callback) -> Any:
        io = self.loop.io(fd, self.read, callback)
        io.start()
        return io

    def unwatch(self, handle: Any) -> None:
        handle.stop()

    def switch(self, fd: int, callback: Callback) -> Switch:
        io = self.loop.io(fd, self.read, callback)
        return io.start, io.stop

    def start_stop(self, fd: int, callback: Callback, count: int) -> None:
        io = self.loop.io(fd, self.read, callback)
        for _ in repeat(None, count):
            io.start()
            io.stop()

    def width_switch(self, fd: int, callback: Callback) -> Switch:
        io = self.watch(fd, callback)
        read, read_write = self.read, self.read_write

        def widen() -> None:
            io.stop()
            io.set(fd, read_write)
            io.start()

        def narrow() -> None:
            io.stop()
            io.set(fd, read)
            io.start()

        return widen, narrow

    def widen_narrow(self, fd: int, callback: Callback, count: int) -> None:
        io = self.watch(fd, callback)
        read, read_write = self.read, self.read_write
        for _ in repeat(None, count):
            io.stop()
            io.set(fd, read_write)
            io.start()
            io.stop()
            io.set(fd, read)
            io.start()
        io.stop()

    def start_timers(self, delays: Sequence[float], callback: Callback) -> list:
        timers = []
        make, append = self.loop.timer, timers.append
        for delay in delays:
            timer = make(delay, 0.0, callback)
            timer.start()
            append(timer)
        return timers

    def stop_timers(self, timers: list) -> None:
        for timer in timers:
            timer.stop()

    def start_repeating(self, count: int, delay: float, callback: Callback) -> list:
        timers = [self.loop.timer(delay, delay, callback) for _ in range(count)]
        for timer in timers:
            timer.start()
        return timers

    def reset_timers(self, timers: list, delay: float, callback: Callback) -> None:
        for timer in timers:
            timer.reset()

    def resetter(self, delay: float, callback: Callback) -> Callable[[], object]:
        (timer,) = self.start_repeating(1, delay, callback)
        return timer.reset

    def waker(self, callback: Callback) -> Callable[[], object]:
        wakeup = self.loop.async_(callback)
        wakeup.start()
        return wakeup.send

    def flooder(self, callback: Callback) -> Callable[[int], object]:
        wakeup = self.loop.async_(callback)
        wakeup.start()

        def flood(count: int) -> None:
            for _ in repeat(None, count):
                wakeup.send()

        return flood


class FullWatcherPeer(WatcherPeer):
    """Drives the other kinds of watchers too, if the module has their classes yet."""

    @classmethod
    def for_children(cls) -> Peer:
        return cls(cls.module.default_loop())

    def _factory(self, name: str, kind: str) -> Callable[..., Any]:
        """The factory of a kind of watcher."""
        if not hasattr(self.module, kind) or not hasattr(self.loop, name):
            raise Unavailable(f"no {kind}")
        return getattr(self.loop, name)

    def on_signal(self, number: int, callback: Callback) -> Any:
        watcher = self._factory("signal", "Signal")(number, callback)
        watcher.start()
        return watcher

    def on_child(self, pid: int, callback: Callback) -> Any:
        watcher = self._factory("child", "Child")(pid, False, callback)
        watcher.start()
        return watcher

    def start_periodics(self, offsets: Sequence[float], callback: Callback) -> list:
        make = self._factory("periodic", "Periodic")
        periodics = []
        for offset in offsets:
            periodic = make(offset, 0.0, callback)
            periodic.start()
            periodics.append(periodic)
        return periodics

    def start_stats(self, paths: Sequence[str], callback: Callback) -> list:
        make = self._factory("stat", "Stat")
        stats = []
        for path in paths:
            stat = make(path, 0.0, callback)
            stat.start()
            stats.append(stat)
        return stats
