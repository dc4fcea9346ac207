from everloop.clock cimport nanoseconds
from everloop.phases.refusing cimport RefusingLoop

cdef class PassingLoop(RefusingLoop):
    cdef int run(self, int flags) except -1
    cdef int enter(self) except -1
    cdef int queue_prepares(self) except -1
    cdef int tell_kernel(self) except -1
    cdef nanoseconds blocking_time(self, int flags) except -1
    cdef int wait(self, nanoseconds timeout) except -1
    cdef int take_notice(self) except -1
    cdef int queue_idles(self) except -1
    cdef int queue_checks(self) except -1
    cdef int shut(self) except -1
