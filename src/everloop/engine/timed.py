"""TimedLoop: the loop's time, as of its last wait.

Invariants:
- ``mono`` is the time of the pass unless ``stale``: nobody may have needed it since the
  wait. Whoever does calls ``freshen`` first.
- ``wall_ahead`` was measured at ``wall_read``; it is measured anew twice a second, since
  somebody may set the wall clock.
- ``busy`` and ``blocked`` share the time between them up to ``lately``, which a wait that
  gives up the GIL moves on. That is told by the coarse clock: what it misses of one wait
  it finds in another.
"""

import cython
from cython.cimports.everloop.clock import (
    NANO,
    Clock,
    from_seconds,
    nanoseconds,
    read_system_clock,
)
from cython.cimports.everloop.engine.holding import HoldingLoop
from cython.cimports.everloop.queues.histogram import told
from cython.cimports.everloop.sys.clock import CLOCK_MONOTONIC_COARSE


@cython.cclass
class TimedLoop(HoldingLoop):
    def __cinit__(self):
        self._clock = Clock()
        self.made = self._clock.monotonic()
        self.lately = coarse_clock()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_clocks(self) -> cython.int:
        """Refresh both the monotonic and the wall-clock time; the latter may jump."""
        before: nanoseconds = self.wall_ahead
        self.mono = self._clock.monotonic()
        self.wall_ahead = self._clock.wall() - self.mono
        self.wall_read = self.mono
        self.stale = False
        if self.dates.count and abs(self.wall_ahead - before) >= NANO:
            self.dates_jumped()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refresh_time(self) -> cython.int:
        """Read the clock if there are timers, else when somebody first asks (freshen)."""
        self.stale = True
        if self.timers.count or self.dates.count or self._io_interval:
            self.mono = self._clock.monotonic()
            self.stale = False
            if self.dates.count or self.mono - self.wall_read > NANO // 2:
                self.read_clocks()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def dates_jumped(self) -> cython.int:
        """The wall clock was set: the times on it are to be found anew."""
        return 0

    # What statistics() tells

    @cython.cfunc
    @cython.exceptval(check=False)
    def was_busy(self) -> cython.void:
        """Callbacks ran until now."""
        now: nanoseconds = coarse_clock()
        self.busy += now - self.lately
        self.lately = now

    @cython.cfunc
    @cython.exceptval(check=False)
    def was_blocked(self) -> cython.void:
        """The loop waited until now."""
        now: nanoseconds = coarse_clock()
        self.blocked += now - self.lately
        self.lately = now

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_counts(self, counts: dict) -> cython.int:
        """Add what this class counts, by the names of Statistics."""
        counts["made"] = self.made
        counts["timers"] = self.timers.count + self.dates.count
        counts["descriptors"] = self.descriptors.linked
        counts["watchers"] = self.roster.aboard()
        counts["timer_lateness"] = told(cython.address(self.lateness))
        counts["busy"] = self.busy
        counts["blocked"] = self.blocked
        return 0


@cython.cfunc
@cython.exceptval(check=False)
def coarse_clock() -> nanoseconds:
    """The monotonic time of the kernel's last tick."""
    return read_system_clock(CLOCK_MONOTONIC_COARSE)


@cython.cfunc
@cython.exceptval(-1, check=False)
def interval(name: str, seconds: cython.double) -> nanoseconds:
    if not seconds >= 0.0:
        raise ValueError(f"{name} must be 0 or a positive number of seconds, not {seconds!r}")
    return from_seconds(seconds)
