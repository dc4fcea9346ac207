from libc.stdint cimport uint32_t, uint64_t
from posix.time cimport timespec

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_MOD
        EPOLL_CTL_DEL
        EPOLLET
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP

    ctypedef union epoll_data_t:
        int fd
        uint64_t u64

    struct epoll_event:
        uint32_t events
        epoll_data_t data

    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout)

# Called by number: the C library's wrapper is younger than the system call.
cdef extern from "unistd.h" nogil:
    long syscall(long number, ...)

cdef extern from *:
    """
    #include <sys/syscall.h>
    #ifndef SYS_epoll_pwait2
    #define SYS_epoll_pwait2 441
    #endif
    """
    long SYS_epoll_pwait2
