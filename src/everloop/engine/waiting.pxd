from everloop.clock cimport nanoseconds
from everloop.engine.kernel_side cimport KernelLoop
from libc.stdint cimport uint64_t

cdef enum:
    UNKNOWN = -1  # in the place of a time
    OFTEN = 8  # waits that events cut short, before an alarm is set

cdef class WaitingLoop(KernelLoop):
    cdef int eager               # > 1: the next poll will probably find events
    cdef int held                # polls since the GIL was last released
    cdef int cut_short           # waits with a limit that events ended, in a row
    cdef bint audit_owed         # callbacks ran since the descriptors were audited
    cdef nanoseconds audited_at
    cdef nanoseconds audit_cost
    cdef uint64_t passes
    cdef uint64_t polls          # times that the kernel was asked
    cdef uint64_t waits          # those that could block
    cdef uint64_t wakeups        # waits that another thread or a signal ended

    cdef void take_host(self) noexcept
    cdef void leave_host(self) noexcept
    cdef void rest(self) noexcept
    cdef int look(self) except -1
    cdef int poll_eagerly(self) except -1
    cdef int wait_audited(self, nanoseconds timeout) except -1
    cdef int block(self, nanoseconds timeout, nanoseconds now) except -1
    cdef int poll_until(self, nanoseconds timeout, nanoseconds now) except -1
    cdef nanoseconds limit_of(self, nanoseconds timeout, nanoseconds deadline) noexcept
    cdef int give_way(self) except -1
    cdef bint hurries(self) noexcept
    cdef int pause(self, nanoseconds span) except -1
    cdef int audit(self) except -1
    cdef int audit_owners(self) except -1
