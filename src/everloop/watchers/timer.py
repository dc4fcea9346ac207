"""Timer: some time has passed."""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.everloop.clock import from_seconds, nanoseconds
from cython.cimports.everloop.constants import EV_TIMER
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.holding_inline import activate
from cython.cimports.everloop.engine.inline import enter_loop_of, freshen, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.queues.heap import Heap, HeapNode
from cython.cimports.everloop.queues.histogram import note
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.queues.radix_sort import sort_by_time
from cython.cimports.everloop.sys.compiler import __builtin_prefetch, unlikely
from cython.cimports.everloop.sys.python import allocate, live_as, track
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.inline import (
    move_timer_quickly,
    start_timer_quickly,
    stop_timer,
)
from cython.cimports.everloop.watchers.making import fill, rank_given
from cython.cimports.libc.math import isnan


@cython.cclass
class Timer(Watcher):
    """Timer(after, repeat, loop, callback=None, data=None, priority=0)\n--\n
    Calls back after some time, once or again and again.

    Times are relative to the loop's time (`Loop.now`), which is that of the last
    wait, and follow the monotonic clock: setting the wall clock does not matter.
    A timer never fires before its time, and at most once in a pass. A repeating
    timer that is late is not delayed for the times after; those that it missed
    altogether are dropped.

    after: seconds until the first time; 0 or less: in the next pass.
    repeat: seconds between later times; 0: the timer stops before its only call.

    Stopping keeps the time that is left, and starting goes on with it.

    Raises ValueError for a negative repeat or NaN.
    """

    def __init__(
        self,
        after: cython.double,
        repeat: cython.double,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_times(after, repeat)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self.rest = after
        self._repeat = repeat
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Run the time that is left; does nothing if active. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if unlikely(not start_timer_quickly(self)):
            start_thoroughly(self)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Keep the time that is left and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            self.rest = seconds_left(self)
            stop_timer(self)
        elif self.slot:
            self.loop.take_back(self)

    def set(self, after: cython.double, repeat: cython.double) -> None:
        """Give other times, as in the constructor. Raises Error while active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        check_times(after, repeat)
        check_inactive(self, "set() can't be called")
        self.rest = after
        self._repeat = repeat

    @cython.always_allow_keywords(False)
    def reset(self):
        """Start anew with repeat as the time, or stop if repeat is 0.

        Takes back a pending event. The cheap way to put off a timeout. Thread-safe.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if unlikely(not move_timer_quickly(self)):
            reset_thoroughly(self)

    @property
    def repeat(self) -> float:
        """Seconds between times, taken up at the next one. May be set at any time."""
        return self._repeat

    @repeat.setter
    def repeat(self, repeat: cython.double):
        section: Section
        enter_loop_of(cython.address(section), self)
        check_times(0.0, repeat)
        self._repeat = repeat

    @property
    def remaining(self) -> float:
        """Seconds until the timer fires, counted from the loop's time. Read only."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return seconds_left(self)

    def _describe(self) -> str:
        repeat = f" repeat={self._repeat:g}s" if self._repeat else ""
        return f"remaining={seconds_left(self):.6g}s{repeat}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def start_thoroughly(self: Timer) -> cython.int:
    if self.flags & ACTIVE:
        return 0
    loop: CallingLoop = self.loop
    if unable(loop):
        make_able(self)
    freshen(loop)
    loop.timers.add(self, loop.mono + from_seconds(self.rest))
    return activate(loop, self)


@cython.cfunc
@cython.exceptval(-1, check=False)
def reset_thoroughly(self: Timer) -> cython.int:
    loop: CallingLoop = self.loop
    active: cython.bint = self.flags & ACTIVE
    if not active and unable(loop):
        make_able(self)
    freshen(loop)
    if self.slot:
        loop.take_back(self)
    if self._repeat == 0.0:
        self.stop()
    elif active:
        loop.timers.move(self, loop.mono + from_seconds(self._repeat))
        if loop.waiting:
            loop.waker.wake()
    else:
        self.rest = self._repeat
        loop.timers.add(self, loop.mono + from_seconds(self._repeat))
        activate(loop, self)
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=False)
def check_times(after: cython.double, repeat: cython.double) -> cython.int:
    return 0 if repeat >= 0.0 and not isnan(after) else refuse_times(after, repeat)


@cython.cfunc
@cython.exceptval(-1, check=False)
def refuse_times(after: cython.double, repeat: cython.double) -> cython.int:
    if isnan(after):
        raise ValueError("after must be a number of seconds, not NaN")
    raise ValueError(f"repeat must be 0 or a positive number of seconds, not {repeat!r}")


@cython.cfunc
def new_timer(
    loop: CallingLoop,
    after: cython.double,
    repeat: cython.double,
    callback: object,
    data: object,
    priority: object,
) -> Timer:
    check_times(after, repeat)
    if callback is None:
        callback = loop.stand_in()
    rank: cython.int = rank_given(loop, callback, priority)
    self: Timer = cython.cast(Timer, allocate(Timer))
    fill(self, loop, callback, data, rank)
    self.rest = after
    self._repeat = repeat
    track(self)
    return self


@cython.cfunc
@cython.exceptval(-1, check=True)
def seconds_left(self: Timer) -> cython.double:
    if not self.flags & ACTIVE:
        return self.rest
    if self.loop.stale:
        self.loop.read_clocks()
    left: nanoseconds = self.loop.timers.nodes[self.position].at - self.loop.mono
    return cython.cast(cython.double, left) / 1e9


@cython.cfunc
@cython.exceptval(check=False)
def next_time(self: Timer, at: nanoseconds, now: nanoseconds) -> nanoseconds:
    """When a repeating timer that was due at ``at`` is due again: after now."""
    at += from_seconds(self._repeat)
    return at if at > now else now + 1


@cython.cfunc
@cython.exceptval(-1, check=False)
def queue_expired(loop: CallingLoop) -> cython.int:
    """Queue the timers that are due, and re-arm or stop them."""
    heap: Heap = loop.timers
    first: HeapNode[MANY]
    taken: cython.uint = 0
    if heap.count == 0 or heap.nodes[0].at > loop.mono:
        return 0
    if heap.count > FEW:
        enough: cython.uint = max(cython.cast(cython.uint, FEW), heap.count // 8) + 1
        if heap.count_due(loop.mono, enough) >= enough and queue_many(loop, True):
            return 0
    while taken < MANY and heap.count and heap.nodes[0].at <= loop.mono:
        first[taken] = heap.nodes[0]
        note(cython.address(loop.lateness), loop.mono - first[taken].at)
        take_first(loop, cython.cast(Timer, first[taken].watcher))
        taken += 1
    # The pending queue gives back the last one first, so the latest go in first.
    try:
        if taken == MANY:
            queue_many(loop, False)
        while taken:
            push(loop.queue, cython.cast(Timer, first[taken - 1].watcher), EV_TIMER)
            taken -= 1
    finally:
        # Those that there was no memory for stay due.
        while taken:
            taken -= 1
            revive(loop, cython.cast(Timer, first[taken].watcher), first[taken].at)
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def take_first(loop: CallingLoop, timer: Timer) -> cython.void:
    """Re-arm or stop the timer at the top of the heap, which is due."""
    at: nanoseconds = loop.timers.nodes[0].at
    if timer._repeat > 0.0:
        loop.timers.move(timer, next_time(timer, at, loop.mono))
    else:
        loop.timers.remove(timer)
        expire(loop, timer, at)


@cython.cfunc
@cython.exceptval(-1, check=False)
def queue_many(loop: CallingLoop, unless_tied: cython.bint) -> cython.bint:
    """Queue all timers that are due: sorted, not taken one by one.

    Returns False, without having done so, if some are due at the same time: only
    the heap knows their order.
    """
    heap: Heap = loop.timers
    due: cython.uint = heap.count_due(loop.mono, heap.count)
    if due == 0:
        return True
    batch = cython.cast(
        cython.pointer[HeapNode], PyMem_RawMalloc(2 * due * cython.sizeof(HeapNode))
    )
    if batch == cython.NULL:
        raise MemoryError("no memory for expired timers")
    heap.copy_due(loop.mono, batch)
    nodes: cython.pointer[HeapNode] = sort_by_time(batch, cython.address(batch[due]), due)
    if unless_tied and has_ties(nodes, due):
        PyMem_RawFree(batch)
        return False
    heap.remove_due(loop.mono)
    timer: Timer
    try:
        while due:
            if due > AHEAD:
                __builtin_prefetch(nodes[due - 1 - AHEAD].watcher)
            timer = cython.cast(Timer, nodes[due - 1].watcher)
            push(loop.queue, timer, EV_TIMER)
            due -= 1
            note(cython.address(loop.lateness), loop.mono - nodes[due].at)
            if timer._repeat > 0.0:
                heap.put_back(timer, next_time(timer, nodes[due].at, loop.mono))
            else:
                expire(loop, timer, nodes[due].at)
    finally:
        # Those that there was no memory for stay due.
        while due:
            due -= 1
            heap.put_back(cython.cast(Timer, nodes[due].watcher), nodes[due].at)
        PyMem_RawFree(batch)
    return True


@cython.cfunc
@cython.exceptval(check=False)
def has_ties(nodes: cython.pointer[HeapNode], count: cython.uint) -> cython.bint:
    """Whether any two of nodes in order are due at the same time."""
    while count > 1:
        count -= 1
        if nodes[count].at == nodes[count - 1].at:
            return True
    return False


@cython.cfunc
@cython.exceptval(check=False)
def revive(loop: CallingLoop, timer: Timer, at: nanoseconds) -> cython.void:
    """Take back what take_first() did."""
    if timer.flags & ACTIVE:
        loop.timers.move(timer, at)
    else:
        timer.flags |= ACTIVE
        loop.references += 1
        loop.timers.put_back(timer, at)


@cython.cfunc
@cython.exceptval(check=False)
def expire(loop: CallingLoop, timer: Timer, at: nanoseconds) -> cython.void:
    """A timer that fires once is stopped, but owned until its callback has run."""
    timer.rest = cython.cast(cython.double, at - loop.mono) / 1e9
    timer.flags &= ~ACTIVE
    loop.references -= 1


live_as(Timer, Watcher)
