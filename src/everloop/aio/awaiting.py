"""Awaiting: watchers that coroutines wait for.

A watcher of an EventLoop that was made without a callback has an Awaited in its place. It
hands each event to whoever waits, and decides for how long the watcher is active: from the
first wait until nobody waits, iterates or holds it any more.

All of it is for the thread that runs the loop, but that an iterator may be dropped in any.

Invariants: each future in ``waiting`` is of one coroutine in _next(), which takes it out again
however it ends. ``holders`` counts the iterations and ``async with`` blocks that are on. What
happens while nobody waits is in ``missed``, merged, unless nobody is interested at all.
"""

import asyncio
import collections
import contextlib
import threading
from typing import NamedTuple

from everloop.watcher import StandIn
from everloop.watchers.check import Check
from everloop.watchers.child import Child
from everloop.watchers.idle import Idle
from everloop.watchers.io import Io
from everloop.watchers.prepare import Prepare
from everloop.watchers.stat import Stat
from everloop.watchers.tree import Tree

# They tell of a state, again and again while it lasts: between waits they would call in vain,
# and what they said then would be out of date when somebody asks.
TELL_OF_STATES = (Io, Idle, Prepare, Check)


class Change(NamedTuple):
    """What the attributes of a path were and are: os.stat_result, all 0 where it is not."""

    previous: object
    current: object


class Awaited(StandIn):
    """The callback of a watcher that coroutines wait for."""

    __slots__ = ("ended", "holders", "missed", "waiting")

    def __init__(self):
        self.waiting = []
        self.holders = 0
        self.missed = None
        self.ended = False

    def __call__(self, watcher, revents):
        self.ended = has_ended(watcher)
        waiting, self.waiting = self.waiting, []
        waiting = [future for future in waiting if not future.done()]
        if isinstance(watcher, Tree) and self.holders and not waiting:
            self.missed = watcher  # it keeps its changes, and knows how many it can
            return
        event = event_of(watcher, revents)
        for future in waiting:
            future.set_result(event)
        if self.holders and not waiting and not isinstance(watcher, TELL_OF_STATES):
            self.missed = event if self.missed is None else merged(self.missed, event)
        if not self.holders or isinstance(watcher, TELL_OF_STATES):
            watcher.stop()

    def fail(self, error):
        """The watcher had to be stopped: who waits for it gets the error."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_exception(error)

    async def wait(self, watcher):
        """The next event; starts the watcher if need be."""
        check_runs_here(watcher)
        loop = watcher.loop
        if self.missed is not None:
            event, self.missed = self.missed, None
            if not isinstance(event, Tree):
                return event
            if changes := event.changes():
                return changes
        future = loop.create_future()
        self.waiting.append(future)
        try:
            self._begin(watcher)
            return await future
        finally:
            if future in self.waiting:
                self.waiting.remove(future)
            self._rest(watcher)

    def iterate(self, watcher):
        if runs_elsewhere(watcher.loop):
            raise_elsewhere(watcher)
        return Iteration(self, watcher)

    async def enter(self, watcher):
        check_runs_here(watcher)
        self.hold(watcher)
        return watcher

    async def leave(self, watcher):
        self.release(watcher)

    def hold(self, watcher):
        """An iteration or ``async with`` block begins."""
        self.holders += 1
        try:
            self._begin(watcher)
        except BaseException:
            self.release(watcher)
            raise

    def release(self, watcher):
        """An iteration or ``async with`` block has ended."""
        self.holders -= 1
        self._rest(watcher)

    def _begin(self, watcher):
        """Start the watcher for whoever has made known already that it is wanted.

        An iterator that is dropped may end its interest at any time, in between as well.
        """
        if not watcher.active:
            self.ended = False
            watcher.loop._start_awaited(watcher)

    def _rest(self, watcher):
        """Stop the watcher if nobody is interested in it."""
        if not self.holders and not self.waiting:
            self.missed = None
            watcher.stop()


class Iteration:
    """The events of a watcher, one after the other; ends with the watcher's last one."""

    __slots__ = ("_awaited", "_left", "_source")

    def __init__(self, awaited, watcher):
        self._awaited = None
        self._left = collections.deque()  # changes of a Tree
        self._source = watcher
        awaited.hold(watcher)
        self._awaited = awaited

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._left:
            awaited = self._awaited
            if awaited is None or (awaited.ended and awaited.missed is None):
                self._end()
                raise StopAsyncIteration
            try:
                event = await awaited.wait(self._source)
            except BaseException:
                # Tracebacks keep this iterator.
                self._end()
                raise
            if not isinstance(self._source, Tree):
                return event
            self._left.extend(event)
        return self._left.popleft()

    async def aclose(self):
        """End the iteration; does nothing if it has ended."""
        self._end()

    def __del__(self):
        # A loop that is left by break or an exception drops its iterator, and says no more.
        # The last reference may go in any thread, as when the garbage collector runs there.
        if self._awaited is not None and runs_elsewhere(self._source.loop):
            awaited, self._awaited = self._awaited, None
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._source.loop.call_soon_threadsafe(awaited.release, self._source)
        else:
            self._end()

    def _end(self):
        self._left.clear()
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.release(self._source)


def check_runs_here(watcher):
    if asyncio.get_running_loop() is not watcher.loop:
        raise_elsewhere(watcher)


def runs_elsewhere(loop):
    """Whether another thread runs the loop."""
    return loop._thread_id not in (None, threading.get_ident())


def raise_elsewhere(watcher):
    raise RuntimeError(f"{watcher!r} is of another loop than the one that runs here")


def event_of(watcher, revents):
    """What a coroutine gets that waits for this watcher."""
    if isinstance(watcher, Child):
        return watcher
    if isinstance(watcher, Stat):
        return Change(watcher.previous, watcher.current)
    if isinstance(watcher, Tree):
        return watcher.changes()
    return revents


def merged(earlier, later):
    """Two events that nobody waited for, as one."""
    if isinstance(later, int):
        return earlier | later
    if isinstance(later, Change):
        return Change(earlier.previous, later.current)
    return later


def has_ended(watcher):
    """Whether the event that the watcher tells of is its last."""
    if isinstance(watcher, Child):
        return watcher.pid != 0 and watcher.returncode is not None
    return not watcher.active
