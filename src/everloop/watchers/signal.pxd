from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef class Signal(Watcher):
    # Watcher.position: the number of the signal.
    pass

cdef int queue_signals(CallingLoop loop) except -1
cdef int feed_signal_watchers(CallingLoop loop, int signum) except -1
cdef int reopen_signalfd(CallingLoop loop) except -1
cdef int leave_signalfd(CallingLoop loop) except -1
