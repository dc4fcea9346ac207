from everloop.clock cimport nanoseconds
from everloop.watchers.wall_clock cimport DatedWatcher

cdef class Periodic(DatedWatcher):
    cdef double _offset    # seconds
    cdef double _interval  # seconds

cdef double next_multiple(Periodic self, nanoseconds now) noexcept
