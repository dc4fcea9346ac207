"""Periodic: a moment on the wall clock."""

import cython
from cython.cimports.everloop.clock import from_seconds, nanoseconds
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.wall_clock import (
    DatedWatcher,
    enter_heap,
    wall_time,
)
from cython.cimports.libc.math import floor, isinf, isnan


@cython.cclass
class Periodic(DatedWatcher):
    """Periodic(offset, interval, loop, callback=None, data=None, priority=0)\n--\n
    Calls back at a moment on the wall clock, once or at regular moments.

    Follows the wall clock when it is set, in either direction; see Timer for what
    does not. Times that were missed, because the loop was busy or the clock was
    set, are not made up for.

    offset: with interval 0, the moment, in seconds since 1970; else the part of
    the interval that passes before each moment, from 0 to interval.
    interval: seconds; calls back whenever the time is offset plus a multiple of
    it (3600 and 0: each full hour, UTC). 0: the watcher stops before its only call.

    Raises ValueError for a negative interval, an offset out of range, or NaN.
    """

    def __init__(
        self,
        offset: cython.double,
        interval: cython.double,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_period(offset, interval)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self._offset = offset
        self._interval = interval
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Wait for the next moment; does nothing if active. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        self.when = next_moment(self, loop)
        enter_heap(self, loop, 0)
        loop.activate(self)

    @cython.always_allow_keywords(False)
    def reset(self):
        """Work out the next moment anew, after offset or interval were set.

        Starts the watcher if it is stopped. Thread-safe.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        self.stop()
        self.start()

    def set(self, offset: cython.double, interval: cython.double) -> None:
        """Give another moment, as in the constructor. Raises Error while active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        check_period(offset, interval)
        check_inactive(self, "set() can't be called")
        self._offset = offset
        self._interval = interval

    @property
    def offset(self) -> float:
        """Seconds; see the class. Takes effect at the next time, or at `reset`."""
        return self._offset

    @offset.setter
    def offset(self, offset: cython.double):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_period(offset, self._interval)
        self._offset = offset

    @property
    def interval(self) -> float:
        """Seconds; see the class. Takes effect at the next time, or at `reset`."""
        return self._interval

    @interval.setter
    def interval(self, interval: cython.double):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_period(self._offset, interval)
        self._interval = interval

    def _describe(self) -> str:
        if self._interval:
            return f"offset={self._offset:g}s interval={self._interval:g}s"
        return f"at={self._offset:.6f}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_period(offset: cython.double, interval: cython.double) -> cython.int:
    if isnan(offset):
        raise ValueError("offset must be a number of seconds, not NaN")
    if not interval >= 0.0:
        raise ValueError(f"interval must be 0 or a positive number of seconds, not {interval!r}")
    if interval > 0.0 and not 0.0 <= offset <= interval:
        raise ValueError(f"offset must be from 0 to interval ({interval!r}), not {offset!r}")
    return 0


@cython.cfunc
@cython.exceptval(-1)
def next_moment(self: Periodic, loop: CallingLoop) -> cython.double:
    if self._interval > 0.0:
        return next_multiple(self, wall_time(loop))
    return self._offset


@cython.cfunc
@cython.exceptval(check=False)
def next_multiple(self: Periodic, now: nanoseconds) -> cython.double:
    """The first moment after now, counted from 1970 each time, so that nothing adds up.

    Where the interval is too small for the resolution of such times, it is now.
    """
    seconds: cython.double = cython.cast(cython.double, now) / 1e9
    count: cython.double = floor((seconds - self._offset) / self._interval)
    if isinf(self._interval):
        return self._interval
    if isinf(count):
        return seconds
    moment: cython.double = self._offset + self._interval * count
    # Compared as the heap does: in whole nanoseconds.
    while from_seconds(moment) <= now:
        count += 1.0
        if self._offset + self._interval * count <= moment:
            return seconds
        moment = self._offset + self._interval * count
    return moment
