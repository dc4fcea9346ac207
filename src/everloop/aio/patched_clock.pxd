from everloop.clock cimport Clock, nanoseconds

cdef class PatchedClock(Clock):
    cdef object function
    cdef Clock before        # what it stands before
    cdef nanoseconds latest
