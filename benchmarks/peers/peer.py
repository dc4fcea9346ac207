"""What every adapter offers to the workloads."""

import os
from collections.abc import Callable, Sequence
from socket import socket
from typing import TYPE_CHECKING, Any

from benchmarks.outcomes import Unavailable

# Importing asyncio takes longer than many a measurement, so that only those who use it do.
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from benchmarks.services import Service

# Called with as many arguments as `Peer.arguments` says.
Callback = Callable[..., object]
Switch = tuple[Callable[[], object], Callable[[], object]]
Address = tuple[str, int] | str


class Peer:
    """One event loop, used as its documentation would have it used.

    Verbs that are timed over many operations (`start_stop`, `start_timers`, ...) repeat them by
    themselves, in the way that is natural and cheapest for the peer, so that no adapter's overhead
    is taken for the peer's. What a verb returns must be kept by the caller: it may be all that
    keeps the watcher alive.
    """

    # The module whose import is timed; None where that says nothing.
    module_name: str | None = None
    # How many arguments the peer passes to a callback if it is used at its best.
    arguments = 2

    run: Callable[[], object]
    stop: Callable[[], object]

    @classmethod
    def for_children(cls) -> "Peer":
        """A loop that can watch children: the default loop where only that can."""
        return cls()

    def expect_threads(self) -> None:
        """Other threads are going to run while the loop waits."""

    def watch_over(self) -> None:
        """Have a thread look for callbacks that take too long."""
        raise Unavailable("no watchdog")

    def close(self) -> None:
        """Give back what the loop holds."""

    # Descriptors

    def watch(self, fd: int, callback: Callback) -> Any:
        """Start to watch `fd` for reading; returns what `unwatch` takes."""
        raise NotImplementedError

    def unwatch(self, handle: Any) -> None:
        """Stop what `watch` started."""
        raise NotImplementedError

    def switch(self, fd: int, callback: Callback) -> Switch:
        """Two callables that start and stop watching `fd` for reading."""
        raise NotImplementedError

    def start_stop(self, fd: int, callback: Callback, count: int) -> None:
        """Start and stop watching `fd` `count` times."""
        raise NotImplementedError

    def width_switch(self, fd: int, callback: Callback) -> Switch:
        """Watch `fd` for reading; two callables that add and remove the interest in writing."""
        raise NotImplementedError

    def widen_narrow(self, fd: int, callback: Callback, count: int) -> None:
        """Watch `fd` for reading, then add and remove the interest in writing `count` times."""
        raise NotImplementedError

    # Timers

    def update(self) -> None:
        """Refresh the loop's idea of the time, where it caches one for timers to start from."""

    def start_timers(self, delays: Sequence[float], callback: Callback) -> list:
        """Create and start one timer for each delay."""
        raise NotImplementedError

    def stop_timers(self, timers: list) -> None:
        """Stop each of `timers`."""
        raise NotImplementedError

    def start_repeating(self, count: int, delay: float, callback: Callback) -> list:
        """Create and start `count` repeating timers, to be reset."""
        raise NotImplementedError

    def reset_timers(self, timers: list, delay: float, callback: Callback) -> None:
        """Let each of `timers`, made by `start_repeating` with these arguments, begin anew."""
        raise NotImplementedError

    def resetter(self, delay: float, callback: Callback) -> Callable[[], object]:
        """Start a repeating timer; returns what resets it."""
        raise NotImplementedError

    # Wake-ups from other threads

    def waker(self, callback: Callback) -> Callable[[], object]:
        """What wakes the loop, from any thread, to call `callback`."""
        raise NotImplementedError

    def flooder(self, callback: Callback) -> Callable[[int], object]:
        """What wakes the loop a given number of times as fast as it can."""
        raise NotImplementedError

    # Other kinds of watchers

    def on_signal(self, number: int, callback: Callback) -> Any:
        """Watch for a signal."""
        raise Unavailable("no signals")

    def on_child(self, pid: int, callback: Callback) -> Any:
        """Watch for the end of a child and reap it; without a watcher of its own, by a pidfd."""
        pidfd = os.pidfd_open(pid)

        def exited(_watcher: object = None, _revents: object = None) -> None:
            self.unwatch(handle)
            os.close(pidfd)
            os.waitpid(pid, 0)
            callback()

        handle = self.watch(pidfd, exited)
        return handle

    def start_periodics(self, offsets: Sequence[float], callback: Callback) -> list:
        """Create and start one absolute timer for each wall-clock time."""
        raise Unavailable("no absolute timers")

    def start_stats(self, paths: Sequence[str], callback: Callback) -> list:
        """Create and start one watcher for each path."""
        raise Unavailable("no watchers of paths")

    # asyncio

    @classmethod
    def new_event_loop(cls) -> "AbstractEventLoop":
        """A loop with asyncio's whole interface."""
        raise Unavailable("no asyncio event loop")

    @classmethod
    def serve(cls, service: "Service", bound: socket, done: int) -> None:
        """Run a server on a bound socket until the descriptor `done` is readable."""
        service.run(cls.new_event_loop(), bound, done)
