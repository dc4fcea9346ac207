from everloop.clock cimport Clock, nanoseconds

cdef class PatchedClock(Clock):
    cdef object function
    cdef Clock base          # the loop's before time() was replaced
    cdef nanoseconds latest
    cdef bint ready          # the function works: its errors are reported
