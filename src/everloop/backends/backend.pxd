from everloop.clock cimport nanoseconds
from everloop.queues.descriptors cimport DescriptorTable
from everloop.queues.pending cimport PendingQueue

cdef class Backend:
    cdef int flag                # its EVBACKEND_* bit
    cdef int fd                  # its own descriptor, or -1
    cdef int wake_fd             # becomes readable when another thread wants attention; or -1
    cdef DescriptorTable table
    cdef PendingQueue pending    # where reported events go
    cdef bint silent             # does not tell of descriptors that were closed
    cdef bint woken              # wake_fd was readable at the last poll
    cdef bint wakes_once         # tells of each wake-up once: wake_fd need not be read
    cdef bint shown              # others wait for its descriptor: wake-ups are to be taken from it
    cdef bint in_order           # what became ready first is to be reported first
    cdef nanoseconds alarm_at    # when a poll ends by itself, or FOREVER: see set_alarm()
    cdef bint lost               # the kernel's registrations are beyond repair: rebuild
    cdef int refused_fd          # a descriptor that the kernel refused, or -1
    cdef int refused_errno

    cdef int open(self) except -1
    cdef int watch_waker(self, int fd) except -1
    cdef void open_alarm(self) noexcept
    cdef bint set_alarm(self, nanoseconds moment, nanoseconds span) noexcept
    cdef void close(self) noexcept
    cdef int modify(self, int fd, int old, int new) noexcept
    cdef bint waits_for(self, int fd) noexcept
    cdef bint restless(self) noexcept
    cdef int poll(self, nanoseconds timeout, bint hold_gil) except -1
    cdef int peek(self) except -1
    cdef int wait(self, nanoseconds timeout) noexcept nogil
    cdef int report_ready(self, int ready) except -1
    cdef int failed(self, int error) except -1
    cdef int audit(self) noexcept
    cdef int check(self, int fd, int error) except -1
    cdef void check_alarm(self) noexcept
    cdef void refuse(self, int fd, int error) noexcept
