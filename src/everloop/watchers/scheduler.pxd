from everloop.clock cimport nanoseconds
from everloop.engine.calling cimport CallingLoop
from everloop.watchers.wall_clock cimport DatedWatcher

cdef class Scheduler(DatedWatcher):
    cdef object _reschedule

cdef int ask(Scheduler self, CallingLoop loop, nanoseconds earliest) except -1
cdef int report_failed(CallingLoop loop) except -1
