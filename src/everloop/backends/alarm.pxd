from everloop.clock cimport nanoseconds
from everloop.queues.descriptors cimport DescriptorTable

cdef enum:
    FIRST_NUMBER = 512  # of a descriptor, where the process may have as many

cdef class Alarm:
    cdef int fd

    cdef bint open(self, DescriptorTable table) noexcept
    cdef void close(self) noexcept
    cdef bint set(self, nanoseconds span) noexcept
