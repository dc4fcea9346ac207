from posix.time cimport clockid_t

cdef extern from "<time.h>" nogil:
    # As exact as the kernel's ticks, some milliseconds; reading it is reading memory.
    clockid_t CLOCK_MONOTONIC_COARSE
