# How often each span of time was seen, in buckets that double: inline, for the hot path.
from everloop.clock cimport nanoseconds
from everloop.sys.compiler cimport __builtin_clzll
from libc.stdint cimport uint64_t

cdef enum:
    BUCKETS = 28     # the last one has no upper bound
    FIRST_BITS = 10  # the first one ends at 2 to the power of this, in nanoseconds

cdef struct Histogram:
    uint64_t counts[BUCKETS]
    uint64_t sum     # nanoseconds; unsigned, so that it may overflow

cdef inline void note(Histogram* histogram, nanoseconds span) noexcept:
    """Count one more of that length; a negative one as none."""
    cdef uint64_t whole = span - 1 if span > 0 else 0
    cdef int place = 63 - __builtin_clzll((whole >> FIRST_BITS) * 2 + 1)
    histogram.counts[place if place < BUCKETS else BUCKETS - 1] += 1
    histogram.sum += <uint64_t>span

cdef inline tuple told(Histogram* histogram):
    """The counts of its buckets, and the sum in nanoseconds."""
    return [histogram.counts[place] for place in range(BUCKETS)], <nanoseconds>histogram.sum
