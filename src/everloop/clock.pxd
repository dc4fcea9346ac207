from everloop.sys.compiler cimport unlikely
from libc.math cimport fabs
from posix.time cimport clockid_t

ctypedef long long nanoseconds

cdef enum:
    NANO = 1000000000  # nanoseconds in a second

cdef extern from *:
    """
    #define EVERLOOP_FOREVER (1LL << 62)
    """
    # Later than anything that can be reached, with room for adding to it.
    nanoseconds FOREVER "EVERLOOP_FOREVER"

cdef class Clock:
    cdef bint manual  # moves by wait() instead of letting the kernel wait
    cdef nanoseconds monotonic(self) noexcept
    cdef nanoseconds wall(self) noexcept
    cdef nanoseconds wait(self, nanoseconds timeout) noexcept

cdef class ManualClock(Clock):
    cdef nanoseconds _monotonic  # since an arbitrary start
    cdef nanoseconds _wall       # since 1970

# Whole nanoseconds, rounded up (never early), clamped to FOREVER. Inline: every start of a
# timer asks.
cdef inline nanoseconds from_seconds(double seconds) noexcept:
    cdef double scaled = seconds * 1e9
    if unlikely(not fabs(scaled) < <double>FOREVER):
        return -FOREVER if scaled < 0.0 else FOREVER
    cdef nanoseconds whole = <nanoseconds>scaled
    return whole + (<double>whole < scaled)

cdef int check_number(str name, double seconds) except -1
cdef nanoseconds read_system_clock(clockid_t which) noexcept
