"""ObservedLoop: what is counted of callbacks, and how another thread sees which one runs.

Counters are integers of 64 bits that the loop's thread alone changes. Others read them
without the loop's section: they see each as it was a moment ago, and never half of one.

Callbacks are timed in one pass of SAMPLE_PERIOD, a prime number: a program whose passes
take turns is seen from all sides.

Invariants:
- ``observed`` is not 0 in a pass that is timed, and while some thread asks for ``current``;
  otherwise a callback costs a look at it and no more.
- ``current`` is changed by the loop's thread alone, in ``current_lock``; others read it there.
"""

import cython
from cython.cimports.everloop.clock import nanoseconds, read_system_clock
from cython.cimports.everloop.engine.holding import SINCE_BITS
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.engine.timed import coarse_clock
from cython.cimports.everloop.engine.waiting import WaitingLoop
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL, Entry
from cython.cimports.everloop.queues.histogram import note, told
from cython.cimports.everloop.sys.threads import Section, acquire, unlock
from cython.cimports.libc.stdint import uint64_t
from cython.cimports.posix.time import CLOCK_MONOTONIC


@cython.cclass
class ObservedLoop(WaitingLoop):
    def __cinit__(self):
        # The first pass is timed, and what comes before it.
        self.observed = SAMPLED
        self.sampled_at = 2

    @cython.cfunc
    @cython.exceptval(check=False)
    def turn_sampling(self) -> cython.void:
        """A pass begins that is to be timed, or the one after it."""
        if self.observed & SAMPLED:
            self.observed &= ~SAMPLED
            self.sampled_at += SAMPLE_PERIOD - 1
        else:
            self.observed |= SAMPLED
            self.sampled_at += 1

    # A callback while observed

    @cython.cfunc
    @cython.exceptval(check=False)
    def begin(self, what: object) -> nanoseconds:
        """What is about to be called; returns the time, or 0 if that is not asked for."""
        self.publish(what)
        return read_system_clock(CLOCK_MONOTONIC) if self.observed & SAMPLED else 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def end(self, outer: object, begun: nanoseconds) -> cython.void:
        """The call is over. outer: what was being called when it began; begun: from begin()."""
        if begun:
            note(cython.address(self.durations), read_system_clock(CLOCK_MONOTONIC) - begun)
        self.publish(outer)

    @cython.cfunc
    @cython.exceptval(check=False)
    def publish(self, what: object) -> cython.void:
        """Exchanged: no object ends in the lock."""
        acquire(cython.address(self.current_lock))
        self.current, what = what, self.current
        unlock(cython.address(self.current_lock))

    # For another thread

    def _observe(self, on):
        """Have ``current`` told, or no longer. Calls are counted."""
        section: Section
        enter_loop(cython.address(section), self)
        self.observers += 1 if on else -1
        if self.observers:
            self.observed |= WATCHED
        else:
            self.observed &= ~WATCHED

    def _observation(self):
        """A number that changes while the loop goes on, whether it waits or does not run, \
        the thread that runs it or 0, and what is being called or None."""
        acquire(cython.address(self.current_lock))
        current: object = self.current
        unlock(cython.address(self.current_lock))
        idle: cython.bint = self.waiting or self.runs <= 0
        return self.progress(), idle, self.thread if self.runs > 0 else 0, current

    def _inside(self, function):
        """Call function() while nothing changes in the loop, and return what it returns.

        While the loop's thread runs a callback, that waits for it on a Python without the GIL.
        """
        section: Section
        enter_loop(cython.address(section), self)
        return function()

    def _active_since(self):
        """Each active watcher, asyncio's among them, and for how many seconds it has been so."""
        section: Section
        enter_loop(cython.address(section), self)
        now: nanoseconds = coarse_clock() >> SINCE_BITS
        ages = []
        for watcher in self.roster.watchers():
            entry: Entry = watcher
            if entry.flags & ACTIVE and not entry.flags & INTERNAL:
                units: nanoseconds = now - self.roster.since[entry.seat - 1]
                ages.append((watcher, max(units, 0) * (1 << SINCE_BITS) / 1e9))
        return ages

    # What statistics() tells

    @cython.cfunc
    @cython.exceptval(check=False)
    def progress(self) -> uint64_t:
        """A number that changes as long as the loop goes on: passes and callbacks so far."""
        total: uint64_t = self.passes + self.calls
        bit: cython.int
        for bit in range(EVENT_BITS):
            total += self.events[bit]
        return total

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_counts(self, counts: dict) -> cython.int:
        WaitingLoop.tell_counts(self, counts)
        counts["events"] = [self.events[bit] for bit in range(EVENT_BITS)]
        counts["calls"] = self.calls
        counts["pending"] = self.queue.total()
        counts["pending_most"] = self.deepest
        counts["callback_duration"] = told(cython.address(self.durations))
        now: nanoseconds = coarse_clock()
        if self.waiting:
            counts["blocked"] += now - self.lately
        elif self.runs > 0:
            counts["busy"] += now - self.lately
        return 0
