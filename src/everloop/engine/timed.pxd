from everloop.clock cimport Clock, nanoseconds
from everloop.engine.holding cimport HoldingLoop
from everloop.queues.histogram cimport Histogram

cdef class TimedLoop(HoldingLoop):
    cdef Clock _clock
    cdef bint stale
    cdef nanoseconds mono        # monotonic clock
    cdef nanoseconds wall_ahead  # wall clock minus monotonic clock
    cdef nanoseconds wall_read   # monotonic time when wall_ahead was measured
    cdef nanoseconds suspended   # monotonic time of suspend(), or 0
    cdef nanoseconds _io_interval
    cdef nanoseconds _timeout_interval
    cdef nanoseconds made        # monotonic time
    cdef nanoseconds busy        # up to lately, the time between waits
    cdef nanoseconds blocked     # and that spent in them
    cdef Histogram lateness      # of timers

    cdef int read_clocks(self) except -1
    cdef int refresh_time(self) except -1
    cdef int dates_jumped(self) except -1
    cdef void was_busy(self) noexcept
    cdef void was_blocked(self) noexcept
    cdef int tell_counts(self, dict counts) except -1

cdef nanoseconds interval(str name, double seconds) except -1
cdef nanoseconds coarse_clock() noexcept
