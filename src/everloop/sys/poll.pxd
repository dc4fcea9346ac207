from posix.time cimport timespec

cdef extern from "poll.h" nogil:
    enum:
        POLLIN
        POLLOUT
        POLLERR
        POLLHUP
        POLLNVAL

    struct pollfd:
        int fd
        short events
        short revents

    ctypedef unsigned long nfds_t

    int poll(pollfd* fds, nfds_t count, int milliseconds)
    int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const void* sigmask)
