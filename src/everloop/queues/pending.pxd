from cpython.object cimport PyObject
from everloop.watcher cimport Watcher

cdef enum:
    LANES = 5  # EV_MAXPRI - EV_MINPRI + 1

cdef struct PendingEvent:
    PyObject* watcher  # borrowed from the roster; NULL: taken back
    int revents

cdef struct Lane:
    PendingEvent* events
    unsigned int count
    unsigned int capacity

cdef class PendingQueue:
    cdef Lane lanes[LANES]
    cdef int cursor             # no lane above this one has events
    cdef unsigned int total     # events in all lanes, taken back ones included

    cdef int push(self, Watcher watcher, int revents) except -1
    cdef PendingEvent pop(self) noexcept
    cdef int take_back(self, Watcher watcher) noexcept
    cdef bint busy_from(self, int rank) noexcept
    cdef void clear(self) noexcept
    cdef int verify(self) except -1
