from everloop.backends.backend cimport Backend
from everloop.queues.descriptors cimport Descriptor
from everloop.sys.poll cimport pollfd

cdef class PollBackend(Backend):
    # Descriptor.token: index in files + 1, or 0.
    cdef pollfd* files
    cdef int count
    cdef int capacity

    cdef int add(self, int fd) noexcept
    cdef void remove(self, Descriptor* slot) noexcept
    cdef int report_file(self, pollfd* file) except -1
