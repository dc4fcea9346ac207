from posix.types cimport pid_t

cdef extern from "sys/wait.h" nogil:
    enum:
        WNOHANG
        WUNTRACED
        WCONTINUED
        WEXITED
        WNOWAIT
        P_PID

    ctypedef int idtype_t
    ctypedef unsigned int id_t

    ctypedef struct siginfo_t:
        pass

    bint WIFSTOPPED(int status)
    bint WIFCONTINUED(int status)
    pid_t waitpid(pid_t pid, int* status, int options)
    int waitid(idtype_t kind, id_t id, siginfo_t* info, int options)

# Called by number: the C library's wrapper is younger than the system call.
cdef extern from *:
    """
    #include <sys/syscall.h>
    #include <unistd.h>
    #ifndef SYS_pidfd_open
    #define SYS_pidfd_open 434
    #endif
    static inline int everloop_pidfd_open(pid_t pid)
    {
        return (int)syscall(SYS_pidfd_open, pid, 0);
    }
    """
    int pidfd_open "everloop_pidfd_open"(pid_t pid) nogil
