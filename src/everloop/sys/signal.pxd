cdef extern from "signal.h" nogil:
    ctypedef struct sigset_t:
        pass

    enum:
        SIG_BLOCK
        SIG_UNBLOCK
        SIG_SETMASK
        SIGABRT
        SIGBUS
        SIGFPE
        SIGILL
        SIGSEGV
        SIGSYS
        SIGTRAP

    int sigemptyset(sigset_t* set)
    int sigfillset(sigset_t* set)
    int sigaddset(sigset_t* set, int signum)
    int sigdelset(sigset_t* set, int signum)
    int pthread_sigmask(int how, const sigset_t* set, sigset_t* old)
