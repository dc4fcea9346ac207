from libc.stdint cimport uint32_t
from everloop.backends.alarm cimport Alarm
from everloop.backends.backend cimport Backend
from everloop.sys.epoll cimport epoll_event
from everloop.sys.poll cimport pollfd

cdef enum:
    ALWAYS_READY = 0x80
    FIRST_CAPACITY = 64
    LARGEST_CAPACITY = 65536
    FEW = 16  # descriptors that poll(2) is asked about instead
    # The loop's own, in the place of a descriptor's number: none of these is one.
    WAKER = -1
    ALARM = -2

cdef class EpollBackend(Backend):
    # Descriptor.token: counts the file's registrations, to know stale events.
    # Descriptor.registered: events in the kernel's set, or ALWAYS_READY.
    cdef epoll_event* events
    cdef int capacity
    cdef list always_ready      # descriptors that epoll refuses, such as regular files
    cdef bint whole_milliseconds  # this kernel lacks epoll_pwait2
    cdef pollfd few[FEW]        # all that is watched, if few_count is not 0
    cdef int few_count

    cdef Alarm alarm
    cdef int uncounted          # events of the last epoll_wait() that are no events of poll()

    cdef int watch_own(self, int fd, int name) noexcept
    cdef void report_own(self, int name) noexcept
    cdef int register(self, int fd, int events) noexcept
    cdef int control(self, int operation, int fd, int events, uint32_t token) noexcept
    cdef int report_event(self, epoll_event* event) except -1
    cdef void find_few(self, int ready) noexcept
    cdef int offer_always_ready(self) except -1
    cdef int report_always_ready(self) except -1
    cdef void enlarge(self) noexcept
