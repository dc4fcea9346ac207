from everloop.loop cimport Loop
from everloop.watcher cimport Watcher

cdef class Signal(Watcher):
    # Watcher.position: the number of the signal.
    pass

cdef int queue_signals(Loop loop) except -1
cdef int feed_signal_watchers(Loop loop, int signum) except -1
cdef int reopen_signalfd(Loop loop) except -1
cdef int leave_signalfd(Loop loop) except -1
