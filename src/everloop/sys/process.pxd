from posix.types cimport pid_t

cdef extern from "pthread.h" nogil:
    int pthread_atfork(
        void (*prepare)() noexcept nogil,
        void (*parent)() noexcept nogil,
        void (*child)() noexcept nogil
    )

cdef extern from "sched.h" nogil:
    int sched_yield()

cdef extern from "unistd.h" nogil:
    pid_t getpid()
    pid_t getuid()
    pid_t geteuid()
    pid_t getgid()
    pid_t getegid()

cdef extern from "fcntl.h" nogil:
    enum:
        F_DUPFD_CLOEXEC
        F_GETFD
    int fcntl(int fd, int command, ...)
