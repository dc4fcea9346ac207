from everloop.clock cimport nanoseconds
from everloop.engine.waiting cimport WaitingLoop
from everloop.queues.histogram cimport Histogram
from everloop.sys.threads cimport Lock
from libc.stdint cimport uint64_t

cdef enum Observation:
    SAMPLED = 1  # the callbacks of this pass are timed
    WATCHED = 2  # another thread looks at what is being called
    ASYNCIO = 4  # asyncio's debug mode, or a tool's function that makes calls

cdef enum:
    EVENT_BITS = 32       # of revents
    NO_EVENT = 1 << 30    # counted for an event without any
    SAMPLE_PERIOD = 127   # the callbacks of one pass in so many are timed

cdef class ObservedLoop(WaitingLoop):
    cdef int observed            # Observation: callbacks are called between begin() and end()
    cdef uint64_t sampled_at     # the pass that is to be timed, or the one after it
    cdef int observers           # threads that look at what is being called
    cdef uint64_t events[EVENT_BITS]  # callbacks of watchers, by the lowest bit of revents
    cdef uint64_t calls          # of asyncio's handles
    cdef uint64_t deepest        # the most events of one priority that have waited at once
    cdef Histogram durations     # of callbacks that were timed
    cdef Lock current_lock       # of current
    cdef object current          # what is being called, while observed

    cdef void turn_sampling(self) noexcept
    cdef nanoseconds begin(self, object what) noexcept
    cdef void end(self, object outer, nanoseconds begun) noexcept
    cdef void publish(self, object what) noexcept
    cdef uint64_t progress(self) noexcept
