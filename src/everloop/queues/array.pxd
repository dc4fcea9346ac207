from cpython.object cimport PyObject
from everloop.queues.pending cimport PendingQueue
from everloop.queues.entry cimport Entry

cdef class WatcherArray:
    cdef PyObject** watchers  # borrowed from the roster
    cdef unsigned int count
    cdef unsigned int capacity

    cdef int add(self, Entry watcher) except -1
    cdef void remove(self, Entry watcher) noexcept
    cdef int feed_all(self, PendingQueue pending, int revents) except -1
    cdef int verify(self) except -1
