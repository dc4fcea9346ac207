from cpython.object cimport PyObject
from everloop.clock cimport nanoseconds
from everloop.queues.entry cimport Entry

cdef struct HeapNode:
    nanoseconds at
    PyObject* watcher  # borrowed from the roster

cdef class Heap:
    cdef HeapNode* nodes
    cdef unsigned int count
    cdef unsigned int capacity

    cdef int add(self, Entry watcher, nanoseconds at) except -1
    cdef void put_back(self, Entry watcher, nanoseconds at) noexcept
    cdef void remove(self, Entry watcher) noexcept
    cdef void move(self, Entry watcher, nanoseconds at) noexcept
    cdef void delay(self, nanoseconds delta) noexcept
    cdef void rebuild(self) noexcept
    cdef unsigned int count_due(self, nanoseconds now, unsigned int limit) noexcept
    cdef void copy_due(self, nanoseconds now, HeapNode* due) noexcept
    cdef void remove_due(self, nanoseconds now) noexcept
    cdef int verify(self) except -1
