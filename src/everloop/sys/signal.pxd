ctypedef void (*Handler)(int) noexcept nogil

cdef extern from "signal.h" nogil:
    ctypedef struct sigset_t:
        pass

    enum:
        NSIG
        SIG_BLOCK
        SIG_UNBLOCK
        SIG_SETMASK
        SA_ONSTACK
        SA_RESTART
        SIGABRT
        SIGBUS
        SIGCHLD
        SIGFPE
        SIGILL
        SIGKILL
        SIGSEGV
        SIGSTOP
        SIGSYS
        SIGTRAP

    struct sigaction_t "sigaction":
        Handler sa_handler
        sigset_t sa_mask
        int sa_flags

    Handler SIG_DFL
    Handler SIG_IGN

    int sigaction(int signum, const sigaction_t* new, sigaction_t* old)
    int sigemptyset(sigset_t* set)
    int sigfillset(sigset_t* set)
    int sigaddset(sigset_t* set, int signum)
    int sigdelset(sigset_t* set, int signum)
    int pthread_sigmask(int how, const sigset_t* set, sigset_t* old)

cdef extern from "sys/signalfd.h" nogil:
    enum:
        SFD_CLOEXEC
        SFD_NONBLOCK

    struct signalfd_siginfo:
        unsigned int ssi_signo

    int signalfd(int fd, const sigset_t* mask, int flags)
