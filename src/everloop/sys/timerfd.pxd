from posix.time cimport itimerspec

cdef extern from "sys/timerfd.h" nogil:
    enum:
        TFD_CLOEXEC
        TFD_NONBLOCK
        TFD_TIMER_ABSTIME
        TFD_TIMER_CANCEL_ON_SET

    int timerfd_create(int clock, int flags)
    int timerfd_gettime(int fd, itimerspec* left)
    int timerfd_settime(int fd, int flags, const itimerspec* new, itimerspec* old)
