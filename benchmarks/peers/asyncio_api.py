"""Peers with asyncio's low-level interface: asyncio, uvloop and rloop."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from benchmarks.peers.peer import Callback, Peer, Switch


class AsyncioPeer(Peer):
    """Drives add_reader, call_later, call_soon_threadsafe and add_signal_handler."""

    arguments = 0

    def __init__(self) -> None:
        self.loop = loop = self.new_event_loop()
        self.run = loop.run_forever
        self.stop = loop.stop
        self.close = loop.close

    def watch(self, fd: int, callback: Callback) -> Any:
        self.loop.add_reader(fd, callback)
        return fd

    def unwatch(self, handle: Any) -> None:
        self.loop.remove_reader(handle)

    def switch(self, fd: int, callback: Callback) -> Switch:
        return partial(self.loop.add_reader, fd, callback), partial(self.loop.remove_reader, fd)

    def start_stop(self, fd: int, callback: Callback, count: int) -> None:
        loop = self.loop
        for _ in repeat(None, count):
            loop.add_reader(fd, callback)
            loop.remove_reader(fd)

    def width_switch(self, fd: int, callback: Callback) -> Switch:
        self.loop.add_reader(fd, callback)
        return partial(self.loop.add_writer, fd, callback), partial(self.loop.remove_writer, fd)

    def widen_narrow(self, fd: int, callback: Callback, count: int) -> None:
        loop = self.loop
        loop.add_reader(fd, callback)
        for _ in repeat(None, count):
            loop.add_writer(fd, callback)
            loop.remove_writer(fd)
        loop.remove_reader(fd)

    def start_timers(self, delays: Sequence[float], callback: Callback) -> list:
        handles = []
        call_later, append = self.loop.call_later, handles.append
        for delay in delays:
            append(call_later(delay, callback))
        return handles

    def stop_timers(self, timers: list) -> None:
        for handle in timers:
            handle.cancel()

    def start_repeating(self, count: int, delay: float, callback: Callback) -> list:
        return [self.loop.call_later(delay, callback) for _ in range(count)]

    def reset_timers(self, timers: list, delay: float, callback: Callback) -> None:
        call_later = self.loop.call_later
        for index, handle in enumerate(timers):
            handle.cancel()
            timers[index] = call_later(delay, callback)

    def resetter(self, delay: float, callback: Callback) -> Callable[[], object]:
        call_later = self.loop.call_later
        handle = call_later(delay, callback)

        def reset() -> None:
            nonlocal handle
            handle.cancel()
            handle = call_later(delay, callback)

        return reset

    def waker(self, callback: Callback) -> Callable[[], object]:
        return partial(self.loop.call_soon_threadsafe, callback)

    def flooder(self, callback: Callback) -> Callable[[int], object]:
        loop = self.loop

        def flood(count: int) -> None:
            for _ in repeat(None, count):
                loop.call_soon_threadsafe(callback)

        return flood

    def on_signal(self, number: int, callback: Callback) -> Any:
        self.loop.add_signal_handler(number, callback)
        return number
