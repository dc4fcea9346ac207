"""Scheduler: moments on the wall clock that the program works out itself."""

import cython
from cython.cimports.everloop.clock import nanoseconds
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.failures import callback_failed, describe, set_error, warn
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    adopt,
    check_callback,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.wall_clock import (
    ASKING,
    DatedWatcher,
    enter_heap,
    retire_dated,
    wall_time,
)
from cython.cimports.libc.math import isnan

from everloop.errors import Error


@cython.cclass
class Scheduler(DatedWatcher):
    """Scheduler(reschedule, loop, callback=None, data=None, priority=0)\n--\n
    Calls back at the moments that a callback of its own works out.

    reschedule: called as ``reschedule(watcher, now)``, with the loop's time in
    seconds since 1970, at each start, after each time, and when the wall clock was
    set. Returns the next time: now or later (now + 1e30: never). It may stop
    the watcher, but should do no more than compute.

    If reschedule raises, or returns anything but such a time, the watcher is
    stopped by the loop, with a RuntimeWarning, and the exception is treated as one
    of a callback: reported, or raised by Loop.start if reschedule is `fatal`.
    """

    def __init__(
        self,
        reschedule,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_reschedule(reschedule)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self._reschedule, reschedule = reschedule, self._reschedule
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Ask for the next time and wait for it; does nothing if active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        if self.extra & ASKING:
            raise Error(f"start() can't be called in the reschedule callback of {self!r}")
        loop.activate(self)
        try:
            ask(self, loop, 0)
        except BaseException:
            DatedWatcher.stop(self)
            raise

    @cython.always_allow_keywords(False)
    def reset(self):
        """Ask for the next time anew. Starts the watcher if it is stopped."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.extra & ASKING:
            raise Error(f"reset() can't be called in the reschedule callback of {self!r}")
        self.stop()
        self.start()

    @property
    def reschedule(self):
        """The callback that gives the next time. May be replaced at any time."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._reschedule

    @reschedule.setter
    def reschedule(self, reschedule):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_reschedule(reschedule)
        self._reschedule, reschedule = reschedule, self._reschedule

    @property
    def scheduler(self):
        """The same as `reschedule`: its name in pyev."""
        return self.reschedule

    @scheduler.setter
    def scheduler(self, reschedule):
        self.reschedule = reschedule

    def _describe(self) -> str:
        return f"at={self.when:.6f}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_reschedule(reschedule: object) -> cython.int:
    if not callable(reschedule):
        raise TypeError(f"reschedule must be callable, not {type(reschedule).__name__}")
    check_callback(reschedule)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def ask(self: Scheduler, loop: CallingLoop, earliest: nanoseconds) -> cython.int:
    """Have an active watcher, out of the heap, work out its next time and wait for it."""
    self.extra |= ASKING
    try:
        moment: cython.double = next_time(self, loop)
    except BaseException as error:
        # Until the loop has stopped the watcher it waits for what never comes.
        moment = 1e30
        note_failure(self, loop, error)
    finally:
        self.extra &= ~ASKING
    if self.flags & ACTIVE and loop.state == OPEN:
        self.when = moment
        enter_heap(self, loop, earliest)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def note_failure(self: Scheduler, loop: CallingLoop, error: object) -> cython.int:
    """Have the loop report it. Without memory for that it is stopped here and now."""
    try:
        loop.failed.append((self, self._reschedule, error))
    except MemoryError:
        DatedWatcher.stop(self)
        raise
    loop.wake_if_waiting()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=True)
def next_time(self: Scheduler, loop: CallingLoop) -> cython.double:
    now: cython.double = cython.cast(cython.double, wall_time(loop)) / 1e9
    answer: object = self._reschedule(self, now)
    moment: cython.double = answer
    if isnan(moment):
        raise ValueError(f"reschedule must return a time, not {answer!r}")
    if moment < now:
        raise Error(f"reschedule must return a time that is not before now, not {answer!r}")
    return moment


@cython.cfunc
@cython.exceptval(-1, check=False)
def report_failed(loop: CallingLoop) -> cython.int:
    """Stop the watchers whose reschedule failed, and deal with the exceptions."""
    while loop.failed:
        report_first_failed(loop)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def report_first_failed(loop: CallingLoop) -> cython.int:
    watcher, reschedule, error = loop.failed.pop(0)
    if cython.cast(Scheduler, watcher).flags & ACTIVE:
        retire_dated(watcher, loop)
    refused: object = None
    try:
        warn(f"{describe(watcher)} has been stopped: its reschedule callback failed")
    except Exception as warning:
        refused = warning
    set_error(error)
    callback_failed(loop, watcher, reschedule)
    if refused is not None:
        raise refused
    return 0
