cdef class Waker:
    cdef int fd

    cdef int open(self) except -1
    cdef void close(self) noexcept
    cdef void wake(self) noexcept nogil
    cdef void drain(self) noexcept nogil
