from everloop.clock cimport nanoseconds
from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef enum DatedFlag:  # Watcher.extra
    IN_HEAP = 1       # has a node in the loop's heap of dates
    ASKING = 2        # its reschedule callback is being called

cdef class DatedWatcher(Watcher):
    # Watcher.position: its node in the loop's heap of dates, while IN_HEAP.
    cdef double when  # seconds since 1970: the next time, or the last one

cdef int enter_heap(DatedWatcher self, CallingLoop loop, nanoseconds earliest) except -1
cdef void leave_heap(DatedWatcher self, CallingLoop loop) noexcept
cdef int retire_dated(DatedWatcher self, CallingLoop loop) except -1
cdef nanoseconds wall_time(CallingLoop loop) except? -1
cdef int queue_due(CallingLoop loop) except -1
cdef int reschedule_all(CallingLoop loop) except -1
