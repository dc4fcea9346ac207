"""gevent's libev loop, without its greenlets."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from gevent.libev.corecext import READ, READWRITE
from gevent.libev.corecext import loop as Loop

from benchmarks.peers.peer import Callback, Peer, Switch


class Gevent(Peer):
    """gevent's watchers take their callback at start() and call it without arguments.

    They can pass arguments that the program gave to start(), but that costs more.
    """

    module_name = "gevent.core"
    arguments = 0

    def __init__(self, *, default: bool = False) -> None:
        self.loop = Loop(default=default)
        self.run = self.loop.run
        self.stop = self.loop.break_
        self.update = self.loop.update_now

    @classmethod
    def for_children(cls) -> Peer:
        return cls(default=True)

    def close(self) -> None:
        self.loop.destroy()

    def watch(self, fd: int, callback: Callback) -> Any:
        io = self.loop.io(fd, READ)
        io.start(callback)
        return io

    def unwatch(self, handle: Any) -> None:
        handle.stop()

    def switch(self, fd: int, callback: Callback) -> Switch:
        io = self.loop.io(fd, READ)
        return partial(io.start, callback), io.stop

    def start_stop(self, fd: int, callback: Callback, count: int) -> None:
        io = self.loop.io(fd, READ)
        for _ in repeat(None, count):
            io.start(callback)
            io.stop()

    def width_switch(self, fd: int, callback: Callback) -> Switch:
        io = self.watch(fd, callback)

        def widen() -> None:
            io.stop()
            io.events = READWRITE
            io.start(callback)

        def narrow() -> None:
            io.stop()
            io.events = READ
            io.start(callback)

        return widen, narrow

    def widen_narrow(self, fd: int, callback: Callback, count: int) -> None:
        io = self.watch(fd, callback)
        for _ in repeat(None, count):
            io.stop()
            io.events = READWRITE
            io.start(callback)
            io.stop()
            io.events = READ
            io.start(callback)
        io.stop()

    def start_timers(self, delays: Sequence[float], callback: Callback) -> list:
        timers = []
        make, append = self.loop.timer, timers.append
        for delay in delays:
            timer = make(delay)
            timer.start(callback)
            append(timer)
        return timers

    def stop_timers(self, timers: list) -> None:
        for timer in timers:
            timer.stop()

    def start_repeating(self, count: int, delay: float, callback: Callback) -> list:
        timers = [self.loop.timer(delay, delay) for _ in range(count)]
        for timer in timers:
            timer.start(callback)
        return timers

    def reset_timers(self, timers: list, delay: float, callback: Callback) -> None:
        for timer in timers:
            timer.again(callback, update=False)

    def resetter(self, delay: float, callback: Callback) -> Callable[[], object]:
        (timer,) = self.start_repeating(1, delay, callback)
        return partial(timer.again, callback, update=False)

    def waker(self, callback: Callback) -> Callable[[], object]:
        wakeup = self.loop.async_()
        wakeup.start(callback)
        return wakeup.send

    def flooder(self, callback: Callback) -> Callable[[int], object]:
        wakeup = self.loop.async_()
        wakeup.start(callback)

        def flood(count: int) -> None:
            for _ in repeat(None, count):
                wakeup.send()

        return flood

    def on_signal(self, number: int, callback: Callback) -> Any:
        watcher = self.loop.signal(number)
        watcher.start(callback)
        return watcher

    def on_child(self, pid: int, callback: Callback) -> Any:
        watcher = self.loop.child(pid)
        watcher.start(callback)
        return watcher

    def start_stats(self, paths: Sequence[str], callback: Callback) -> list:
        stats = []
        for path in paths:
            stat = self.loop.stat(path)
            stat.start(callback)
            stats.append(stat)
        return stats
