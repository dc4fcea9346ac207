from everloop.backends.backend cimport Backend
from everloop.engine.timed cimport TimedLoop
from everloop.sys.threads cimport Flag

cdef class KernelLoop(TimedLoop):
    cdef Backend kernel
    cdef unsigned int generation # of the process, see process/forking.py
    cdef int pid                 # of that process
    cdef bint inherited          # the kernel's side is the parent's: not to be changed
    cdef bint reset_requested
    cdef Flag runs               # calls of start() that are under way
    cdef unsigned long thread    # the one that runs the loop, while runs > 0

    cdef int after_fork(self) except -1
    cdef int check_thread(self, str call) except -1
    cdef int become_child(self) except -1
    cdef int rebuild(self) except -1
    cdef int open_waker(self) except -1
    cdef int reopen_waker(self) except -1
    cdef int leave_parent(self) except -1
    cdef int rebuild_internal(self) except -1
