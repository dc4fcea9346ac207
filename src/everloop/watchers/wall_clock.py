"""What Periodic and Scheduler share: times on the wall clock.

Active ones are in the loop's heap of dates, whose nodes hold wall-clock times.
A Scheduler leaves the heap while it is asked for its next time, since that
callback may do anything, stopping the watcher or closing the loop included.
"""

import cython
from cython.cimports.everloop.clock import from_seconds, nanoseconds
from cython.cimports.everloop.constants import EV_PERIODIC
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, freshen
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.queues.heap import Heap
from cython.cimports.everloop.queues.pending import reserve
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.periodic import Periodic, next_multiple
from cython.cimports.everloop.watchers.scheduler import Scheduler, ask


@cython.cclass
class DatedWatcher(Watcher):
    """The base of Periodic and Scheduler; not to be made itself."""

    @cython.always_allow_keywords(False)
    def stop(self):
        """Call back no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            leave_heap(self, self.loop)
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)

    @property
    def at(self) -> float:
        """The next time, in seconds since 1970; 0.0 before the first start. Read only."""
        return self.when


@cython.cfunc
@cython.exceptval(-1)
def wall_time(loop: CallingLoop) -> nanoseconds:
    freshen(loop)
    return loop.mono + loop.wall_ahead


@cython.cfunc
@cython.exceptval(-1, check=False)
def enter_heap(self: DatedWatcher, loop: CallingLoop, earliest: nanoseconds) -> cython.int:
    """Wait for the watcher's time, but not before earliest."""
    loop.dates.add(self, max(from_seconds(self.when), earliest))
    self.extra |= IN_HEAP
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def leave_heap(self: DatedWatcher, loop: CallingLoop) -> cython.void:
    if self.extra & IN_HEAP:
        loop.dates.remove(self)
        self.extra &= ~IN_HEAP


@cython.cfunc
@cython.exceptval(-1, check=False)
def retire_dated(self: DatedWatcher, loop: CallingLoop) -> cython.int:
    """Stop an active watcher that has no next time, but let its pending event be served.

    As an expired timer it is owned until its callback has run.
    """
    leave_heap(self, loop)
    if self.slot == 0:
        return loop.deactivate(self)
    self.flags &= ~ACTIVE
    loop.references -= 1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def queue_due(loop: CallingLoop) -> cython.int:
    """Queue the watchers whose time has come, and find their next times."""
    heap: Heap = loop.dates
    if heap.count == 0:
        return 0
    now: nanoseconds = wall_time(loop)
    if heap.nodes[0].at > now:
        return 0
    due: list = []
    try:
        take_due(heap, now, due)
        make_room(loop, due)
    except BaseException:
        put_back(heap, due)
        raise
    # The pending queue gives back the last one first.
    place: cython.Py_ssize_t = len(due)
    while place:
        place -= 1
        push(loop.queue, cython.cast(Watcher, due[place]), EV_PERIODIC)
    return reschedule_from(due, 0, loop, now + 1)


@cython.cfunc
@cython.exceptval(-1, check=False)
def take_due(heap: Heap, now: nanoseconds, due: list) -> cython.int:
    """Take those that are due out of the heap, the earliest first."""
    watcher: DatedWatcher
    while heap.count and heap.nodes[0].at <= now:
        watcher = cython.cast(DatedWatcher, heap.nodes[0].watcher)
        due.append(watcher)
        heap.remove(watcher)
        watcher.extra &= ~IN_HEAP
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def make_room(loop: CallingLoop, due: list) -> cython.int:
    """So that either all can be queued, or none are."""
    watcher: Watcher
    for watcher in due:
        reserve(loop.queue, watcher.rank, cython.cast(cython.uint, len(due)))
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def put_back(heap: Heap, due: list) -> cython.int:
    """They are due still: the next pass tries again."""
    watcher: DatedWatcher
    for watcher in due:
        heap.put_back(watcher, from_seconds(watcher.when))
        watcher.extra |= IN_HEAP
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def reschedule_from(
    due: list, place: cython.Py_ssize_t, loop: CallingLoop, earliest: nanoseconds
) -> cython.int:
    """Find the next times of those at place and after it, even if that fails for one."""
    while place < len(due):
        place += 1
        try:
            reschedule(due[place - 1], loop, earliest)
        except BaseException:
            reschedule_from(due, place, loop, earliest)
            raise
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def reschedule(self: DatedWatcher, loop: CallingLoop, earliest: nanoseconds) -> cython.int:
    """Find the next time of an active watcher that is out of the heap."""
    if not self.flags & ACTIVE or self.extra:
        return 0
    if isinstance(self, Scheduler):
        return ask(self, loop, earliest)
    periodic: Periodic = self
    if periodic._interval > 0.0:
        periodic.when = next_multiple(periodic, wall_time(loop))
        return enter_heap(periodic, loop, earliest)
    return retire_dated(self, loop)


@cython.cfunc
@cython.exceptval(-1, check=False)
def reschedule_all(loop: CallingLoop) -> cython.int:
    """The wall clock was set: find all next times anew, but for those that stand fast."""
    heap: Heap = loop.dates
    moved: list = []
    place: cython.uint
    for place in range(heap.count):
        watcher: DatedWatcher = cython.cast(DatedWatcher, heap.nodes[place].watcher)
        if isinstance(watcher, Scheduler) or cython.cast(Periodic, watcher)._interval > 0.0:
            moved.append(watcher)
    for watcher in moved:
        if watcher.flags & ACTIVE and watcher.extra & IN_HEAP:
            leave_heap(watcher, loop)
            reschedule(watcher, loop, 0)
    return 0
