from everloop.queues.descriptors cimport DescriptorTable
from everloop.sys.threads cimport Lock

cdef class Waker:
    cdef Lock lock     # of what follows, for those that are not in the loop's section
    cdef int fd
    cdef int writers   # threads that write without the GIL
    cdef int closing   # a descriptor that the last of them closes, or -1
    cdef unsigned int generation  # of the process that these threads are of, see process/forking.py

    cdef int open(self, DescriptorTable table) except -1
    cdef void close(self) noexcept
    cdef void wake(self) noexcept nogil
    cdef void wake_without_gil(self) noexcept
    cdef void drain(self) noexcept nogil
    cdef void forget_writers(self) noexcept
