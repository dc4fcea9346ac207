from everloop.clock cimport nanoseconds
from everloop.queues.descriptors cimport DescriptorTable

cdef enum:
    FIRST_NUMBER = 48  # below 64, from where on the kernel makes a larger table

cdef class Alarm:
    cdef int fd

    cdef bint open(self, DescriptorTable table) noexcept
    cdef void close(self) noexcept
    cdef bint set(self, nanoseconds span) noexcept
    cdef bint there(self) noexcept
