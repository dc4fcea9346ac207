from everloop.clock cimport Clock, nanoseconds

cdef class PatchedClock(Clock):
    cdef object function
    cdef nanoseconds latest
