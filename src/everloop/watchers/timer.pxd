from everloop.clock cimport nanoseconds
from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef enum:
    FEW = 64     # expired timers that are taken from the heap one by one
    MANY = 1024  # no more are
    AHEAD = 8    # how far ahead memory is fetched where it is surely cold

cdef class Timer(Watcher):
    # Watcher.position: its node in the loop's heap of timers, while active.
    cdef double rest     # seconds to go, while stopped
    cdef double _repeat  # seconds

cdef Timer new_timer(CallingLoop loop, double after, double repeat, object callback, object data, object priority)
cdef int queue_expired(CallingLoop loop) except -1
