"""TimedLoop: the loop's time, as of its last wait.

Invariants:
- ``mono`` is the time of the pass unless ``stale``: nobody may have needed it since the
  wait. Whoever does calls ``freshen`` first.
- ``wall_ahead`` was measured at ``wall_read``; it is measured anew twice a second, since
  somebody may set the wall clock.
"""

import cython
from cython.cimports.everloop.clock import NANO, Clock, from_seconds, nanoseconds
from cython.cimports.everloop.engine.holding import HoldingLoop


@cython.cclass
class TimedLoop(HoldingLoop):
    def __cinit__(self):
        self._clock = Clock()

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


@cython.cfunc
@cython.exceptval(-1, check=False)
def interval(name: str, seconds: cython.double) -> nanoseconds:
    if not seconds >= 0.0:
        raise ValueError(f"{name} must be 0 or a positive number of seconds, not {seconds!r}")
    return from_seconds(seconds)
