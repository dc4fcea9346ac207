"""Scheduling: call_soon() and its relatives, futures, tasks, and the loop's time.

Invariants: calls are made in the order in which they were asked for, timers in that of
their times; only call_soon_threadsafe() may be called by other threads: it does not
wait for the loop, and wakes it at most once for each wait.
"""

import asyncio
from asyncio import futures, tasks
from inspect import iscoroutinefunction

import cython
from cython.cimports.everloop.aio.calls.handle import (
    Handle,
    TimerHandle,
    new_handle,
    new_timer_handle,
)
from cython.cimports.everloop.aio.calls.own_thread import check_thread
from cython.cimports.everloop.aio.calls.patched_clock import PatchedClock
from cython.cimports.everloop.aio.calls.turn import Turn
from cython.cimports.everloop.clock import Clock, check_number, from_seconds
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.sys.python import PyThread_get_thread_ident
from cython.cimports.everloop.sys.threads import Section

StandardLoop = asyncio.SelectorEventLoop


@cython.cclass
class Scheduling(Turn):
    """What is to be called, and when."""

    def call_soon(self, callback, *args, context=None):
        """Call ``callback(*args)`` in this round of the loop or the next.

        context: the contextvars.Context to call in; a copy of the current one if None.

        Calls are made in the order in which they were asked for. Returns a Handle.
        Raises RuntimeError if the loop is closed. Not thread-safe.
        """
        section: Section
        enter_loop(cython.address(section), self)
        if self.state != OPEN:
            self.raise_closed()
        if self.debug_mode:
            self._check_thread()
            self.check_call(callback, "call_soon")
        return self.soon(callback, args, context)

    def call_soon_threadsafe(self, callback, *args, context=None):
        """The same as `call_soon`, for other threads and signal handlers.

        Many calls before the loop wakes up cost one wake-up. The Handle, too, may be used
        by other threads: while the call is being made, its `cancel` and `cancelled` wait.
        """
        if self.state != OPEN:
            self.raise_closed()
        if self.debug_mode:
            self.check_call(callback, "call_soon_threadsafe")
        handle: Handle = new_handle(self, callback, args, context)
        handle.threadsafe = True
        self.post(handle)
        if self.alert and not self.waking:
            self.waking = True
            self.waker.wake_without_gil()
        return handle

    def call_later(self, delay, callback, *args, context=None):
        """Call ``callback(*args)`` after delay seconds; never earlier.

        Returns a TimerHandle. Raises RuntimeError if the loop is closed, ValueError for
        NaN. Not thread-safe.
        """
        section: Section
        enter_loop(cython.address(section), self)
        if delay is None:
            raise TypeError("delay must not be None")
        if self._later_by_call_at:
            return self.call_at(self.time() + delay, callback, *args, context=context)
        return self.at(self.seconds() + cython.cast(cython.double, delay), callback, args, context)

    def call_at(self, when, callback, *args, context=None):
        """Call ``callback(*args)`` when the loop's `time` is ``when``; never earlier.

        Returns a TimerHandle. Raises RuntimeError if the loop is closed, ValueError for
        NaN. Not thread-safe.
        """
        section: Section
        enter_loop(cython.address(section), self)
        if when is None:
            raise TypeError("when cannot be None")
        timer: TimerHandle = self.at(when, callback, args, context)
        if type(when) is not float:
            timer.given = when
        return timer

    # The classes are looked up at each call, as asyncio does: tools replace them

    def create_future(self):
        """A new asyncio.Future of this loop."""
        return futures.Future(loop=self)

    def create_task(self, coro, **options):
        """A new asyncio.Task of this loop that runs a coroutine.

        options: those of asyncio.Task, such as name, context and eager_start. With a
        task factory set, that makes it. Raises RuntimeError if the loop is closed. Not
        thread-safe.
        """
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        if self.state != OPEN:
            self.raise_closed()
        if self.task_factory is not None:
            return StandardLoop.create_task(self, coro, **options)
        return tasks.Task(coro, loop=self, **options)

    @property
    def _task_factory(self):
        section: Section
        enter_loop(cython.address(section), self)
        return self.task_factory

    @_task_factory.setter
    def _task_factory(self, factory):
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        self.task_factory, factory = factory, self.task_factory

    @property
    def _thread_id(self):
        runner: cython.ulong = self.runner
        return runner if runner else None

    @_thread_id.setter
    def _thread_id(self, ident):
        self.runner = ident or 0

    # Time

    def _system_time(self) -> float:
        """The loop's time in seconds, whatever has been put in the place of time()."""
        return cython.cast(cython.double, unpatched(self._clock).monotonic()) / 1e9

    def _patch_time(self, function, ready=True):
        """Have time() told by a function, or as before (None).

        ready: whether the function works by now; else its errors are ignored at first.
        """
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        clock: Clock = unpatched(self._clock)
        self.clock = clock if function is None else PatchedClock(function, clock, ready)
        handle: TimerHandle
        for handle in self._scheduled:
            self.timers.move(handle, from_seconds(handle.moment))

    @property
    def _scheduled(self):
        """The calls that wait for their time, the next one first."""
        section: Section
        enter_loop(cython.address(section), self)
        return sorted(
            [
                watcher
                for watcher in self.roster.watchers()
                if type(watcher) is TimerHandle and watcher.active
            ]
        )

    @_scheduled.setter
    def _scheduled(self, timers):
        pass

    def _put_ready(self, handle):
        """Have the call of a handle made after those that are ready."""
        section: Section
        enter_loop(cython.address(section), self)
        if type(handle) is Handle and self.may_queue(handle):
            self.queue_call(handle)
        else:
            self.call_soon(run_unless_cancelled, handle)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def seconds(self) -> cython.double:
        if type(self._clock) is PatchedClock:
            return cython.cast(PatchedClock, self._clock).function()
        return cython.cast(cython.double, self._clock.monotonic()) / 1e9

    # Steps

    @cython.cfunc
    @cython.exceptval(check=False)
    def may_queue(self, handle: Handle) -> cython.bint:
        """Whether it is of this loop, and in no queue: what is in one has another after it."""
        last: cython.bint = handle is self.ready.last or handle is self.mail.last
        return handle.loop is self and handle.next is None and not last

    @cython.cfunc
    def soon(self, callback: object, args: tuple, context: object) -> Handle:
        handle: Handle = new_handle(self, callback, args, context)
        self.queue_call(handle)
        return handle

    @cython.cfunc
    def at(
        self, when: cython.double, callback: object, args: tuple, context: object
    ) -> TimerHandle:
        if self.state != OPEN:
            self.raise_closed()
        if self.debug_mode:
            self._check_thread()
            self.check_call(callback, "call_at")
        check_number("when", when)
        return new_timer_handle(self, when, callback, args, context)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def raise_closed(self) -> cython.int:
        raise RuntimeError("Event loop is closed")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check_call(self, callback: object, method: str) -> cython.int:
        """In debug mode: is it something that can be called?"""
        if asyncio.iscoroutine(callback) or iscoroutinefunction(callback):
            raise TypeError(f"coroutines cannot be used with {method}()")
        if not callable(callback):
            raise TypeError(f"a callable object was expected by {method}(), got {callback!r}")
        return 0

    def _check_own_thread(self):
        """In debug mode: raises RuntimeError in a thread that does not run the loop."""
        check_thread(self)

    def _check_thread(self):
        """Raises RuntimeError in a thread that does not run the loop."""
        if self.runner != 0 and self.runner != PyThread_get_thread_ident():
            raise RuntimeError(
                "Non-thread-safe operation invoked on an event loop other than the current one"
            )


def run_unless_cancelled(handle):
    """The call of a handle that is not one of this loop's."""
    if not handle._cancelled:
        handle._run()


@cython.cfunc
def unpatched(clock: Clock) -> Clock:
    """The clock that time() was told by before it was replaced."""
    return cython.cast(PatchedClock, clock).base if type(clock) is PatchedClock else clock
