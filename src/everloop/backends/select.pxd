from everloop.backends.backend cimport Backend

cdef enum:
    WORD_BITS = 8 * sizeof(unsigned long)

# The places of the four sets in their block: what to watch for, and what happened.
cdef enum:
    READ = 0
    WRITE = 1
    READABLE = 2
    WRITABLE = 3

cdef class SelectBackend(Backend):
    # Four sets of the same size in one block of memory, for any number of
    # descriptors: the library's own fd_set ends at FD_SETSIZE.
    cdef unsigned long* sets
    cdef int words   # of each set
    cdef int limit   # one more than the highest descriptor watched

    cdef int watch(self, int fd, int events) noexcept
    cdef bint watched(self, int fd) noexcept
    cdef int grow(self, int words) noexcept
    cdef int report_bits(self, int fd, int revents) except -1
    cdef void find_closed(self) noexcept
