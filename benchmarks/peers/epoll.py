"""A bare loop in pure Python over select.epoll: what a program can do without any library."""

import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count as counter
from itertools import repeat
from time import monotonic
from typing import Any

from benchmarks.peers.peer import Callback, Peer, Switch

READ = select.EPOLLIN
READ_WRITE = select.EPOLLIN | select.EPOLLOUT


class Epoll(Peer):
    """A dict of callbacks by descriptor, and a heap of timers, `[at, number, callback]`.

    A stopped timer loses its callback and stays in the heap until its time comes.
    """

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.callbacks: dict[int, Callback] = {}
        self.timers: list[list] = []
        self.numbers = counter()
        self.stopped = False

    def run(self) -> None:
        self.stopped = False
        poll, callbacks, timers = self.epoll.poll, self.callbacks, self.timers
        while not self.stopped:
            timeout = max(0.0, timers[0][0] - monotonic()) if timers else None
            for fd, events in poll(timeout):
                callbacks[fd](fd, events)
            if timers:
                self._run_timers()

    def _run_timers(self) -> None:
        timers, now = self.timers, monotonic()
        while timers and timers[0][0] <= now:
            timer = heappop(timers)
            callback = timer[2]
            if callback is not None:
                callback(timer, 0)

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.epoll.close()

    def watch(self, fd: int, callback: Callback) -> Any:
        self.callbacks[fd] = callback
        self.epoll.register(fd, READ)
        return fd

    def unwatch(self, handle: Any) -> None:
        self.epoll.unregister(handle)
        del self.callbacks[handle]

    def switch(self, fd: int, callback: Callback) -> Switch:
        self.callbacks[fd] = callback
        return partial(self.epoll.register, fd, READ), partial(self.epoll.unregister, fd)

    def start_stop(self, fd: int, callback: Callback, count: int) -> None:
        callbacks, epoll = self.callbacks, self.epoll
        for _ in repeat(None, count):
            callbacks[fd] = callback
            epoll.register(fd, READ)
            epoll.unregister(fd)
            del callbacks[fd]

    def width_switch(self, fd: int, callback: Callback) -> Switch:
        self.watch(fd, callback)
        modify = self.epoll.modify
        return partial(modify, fd, READ_WRITE), partial(modify, fd, READ)

    def widen_narrow(self, fd: int, callback: Callback, count: int) -> None:
        self.watch(fd, callback)
        epoll = self.epoll
        for _ in repeat(None, count):
            epoll.modify(fd, READ_WRITE)
            epoll.modify(fd, READ)
        self.unwatch(fd)

    def start_timers(self, delays: Sequence[float], callback: Callback) -> list:
        timers = []
        heap, numbers = self.timers, self.numbers
        for delay in delays:
            timer = [monotonic() + delay, next(numbers), callback]
            heappush(heap, timer)
            timers.append(timer)
        return timers

    def stop_timers(self, timers: list) -> None:
        for timer in timers:
            timer[2] = None

    def start_repeating(self, count: int, delay: float, callback: Callback) -> list:
        return self.start_timers([delay] * count, callback)

    def reset_timers(self, timers: list, delay: float, callback: Callback) -> None:
        heap, numbers = self.timers, self.numbers
        for index, timer in enumerate(timers):
            timer[2] = None
            timers[index] = timer = [monotonic() + delay, next(numbers), callback]
            heappush(heap, timer)

    def resetter(self, delay: float, callback: Callback) -> Callable[[], object]:
        return partial(self.reset_timers, self.start_repeating(1, delay, callback), delay, callback)

    def waker(self, callback: Callback) -> Callable[[], object]:
        fd = os.eventfd(0)

        def woken(_fd: int, _events: int) -> None:
            os.eventfd_read(fd)
            callback(fd, 0)

        self.watch(fd, woken)
        return partial(os.eventfd_write, fd, 1)

    def flooder(self, callback: Callback) -> Callable[[int], object]:
        wake = self.waker(callback)

        def flood(count: int) -> None:
            for _ in repeat(None, count):
                wake()

        return flood

    def on_signal(self, number: int, callback: Callback) -> Any:
        receiver, sender = socket.socketpair()
        sender.setblocking(False)

        def arrived(fd: int, events: int) -> None:
            for _ in receiver.recv(4096):
                callback(fd, events)

        signal.set_wakeup_fd(sender.fileno())
        signal.signal(number, lambda *_: None)
        self.watch(receiver.fileno(), arrived)
        return receiver, sender
