from cpython.object cimport PyObject
from everloop.engine.kernel_side cimport KernelLoop
from everloop.sys.signal cimport NSIG, sigaction_t
from everloop.sys.threads cimport Flag, Lock

cdef struct Slot:
    PyObject* loop                  # whose signal it is; borrowed
    Flag pending            # has arrived, and the loop has not seen it
    Flag* signals_pending   # in the loop: some slot is pending
    Flag* alert             # in the loop: it may have to be woken
    int* wake_fd                    # in the loop's waker
    unsigned int* generation        # of the process that the loop runs in, as it knows
    int handled                     # our handler was installed
    Flag shared             # what it replaced is called, too
    sigaction_t before              # what it replaced

cdef Slot slots[NSIG]
cdef Lock claims                    # whoever changes slots has it
cdef int handlers[1]                # threads that are in the handler; an array, to have a pointer


cdef int claim(KernelLoop loop, int signum) except -1
cdef void release(KernelLoop loop, int signum) noexcept
cdef void release_all(KernelLoop loop) noexcept
cdef bint owned_by(KernelLoop loop, int signum) noexcept
cdef bint has_arrived(KernelLoop loop, int signum) noexcept
cdef void note_taken(int signum) noexcept
cdef void note_signal(int signum) noexcept nogil
cdef int check_signum(object signum) except -1
