from posix.time cimport timespec

cdef extern from "sys/select.h" nogil:
    ctypedef struct fd_set:
        pass

    int pselect(
        int nfds, fd_set* readable, fd_set* writable, fd_set* exceptional,
        const timespec* timeout, const void* sigmask
    )
