from everloop.clock cimport nanoseconds
from everloop.loop cimport Loop
from everloop.watchers.wall_clock cimport DatedWatcher

cdef class Scheduler(DatedWatcher):
    cdef object _reschedule

cdef int ask(Scheduler self, Loop loop, nanoseconds earliest) except -1
cdef int report_failed(Loop loop) except -1
