from everloop.clock cimport nanoseconds
from everloop.loop cimport Loop
from everloop.watcher cimport Watcher

cdef enum DatedFlag:  # Watcher.extra
    IN_HEAP = 1       # has a node in the loop's heap of dates
    ASKING = 2        # its reschedule callback is being called

cdef class DatedWatcher(Watcher):
    # Watcher.position: its node in the loop's heap of dates, while IN_HEAP.
    cdef double when  # seconds since 1970: the next time, or the last one

cdef int enter_heap(DatedWatcher self, Loop loop, nanoseconds earliest) except -1
cdef void leave_heap(DatedWatcher self, Loop loop) noexcept
cdef int retire_dated(DatedWatcher self, Loop loop) except -1
cdef nanoseconds wall_time(Loop loop) except? -1
cdef int queue_due(Loop loop) except -1
cdef int reschedule_all(Loop loop) except -1
