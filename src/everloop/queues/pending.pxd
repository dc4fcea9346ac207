from cpython.object cimport PyObject
from everloop.queues.entry cimport Entry

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
    cdef int cursor  # the highest lane that has events, or -1

    cdef unsigned int total(self) noexcept
    cdef int take_back(self, Entry watcher) noexcept
    cdef void turn_round(self, int rank, unsigned int start, unsigned int end) noexcept
    cdef void exchange(self, int rank, unsigned int one, unsigned int other) noexcept
    cdef void clear(self) noexcept
    cdef int verify(self) except -1
    cdef void lower_cursor(self) noexcept

cdef int grow(Lane* lane) except -1
cdef int reserve(PendingQueue queue, int rank, unsigned int count) except -1
