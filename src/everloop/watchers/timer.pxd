from everloop.clock cimport nanoseconds
from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef enum:
    FEW = 4096   # timers in a heap from which expired ones are taken one by one
    MANY = 1024  # no more are
    AHEAD = 8    # how far ahead memory is fetched where it is surely cold

cdef class Timer(Watcher):
    # Watcher.position: its node in the loop's heap of timers, while active.
    cdef double rest     # seconds to go, while stopped
    cdef double _repeat  # seconds

# Not for others: named here, they are not inlined, as they must not be.
cdef int start_thoroughly(Timer self) except -1
cdef int reset_thoroughly(Timer self) except -1

cdef Timer new_timer(CallingLoop loop, double after, double repeat, object callback, object data, object priority)
cdef int queue_expired(CallingLoop loop) except -1
