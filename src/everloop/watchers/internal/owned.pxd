cdef class OwnedDescriptor:
    cdef int fd     # or -1
    cdef int number # what it stands for, where its user wants to note that

    cdef void close(self) noexcept

cdef OwnedDescriptor own(int fd, int number)
