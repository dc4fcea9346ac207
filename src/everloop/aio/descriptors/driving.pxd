from everloop.aio.descriptors.watching cimport Watching
from everloop.clock cimport nanoseconds

cdef class Driving(Watching):
    cdef bint looked             # the driver has called the select() that was there before

    cdef int wait_driven(self, nanoseconds timeout) except -1
    cdef object seconds_to_wait(self, nanoseconds timeout)
