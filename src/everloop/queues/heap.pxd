from cpython.object cimport PyObject
from everloop.clock cimport nanoseconds
from everloop.watcher cimport Watcher

cdef struct HeapNode:
    nanoseconds at
    PyObject* watcher  # borrowed from the roster

cdef class Heap:
    cdef HeapNode* nodes
    cdef unsigned int count
    cdef unsigned int capacity

    cdef int add(self, Watcher watcher, nanoseconds at) except -1
    cdef void put_back(self, Watcher watcher, nanoseconds at) noexcept
    cdef void remove(self, Watcher watcher) noexcept
    cdef void move(self, Watcher watcher, nanoseconds at) noexcept
    cdef void delay(self, nanoseconds delta) noexcept
    cdef void rebuild(self) noexcept
    cdef unsigned int count_due(self, nanoseconds now, unsigned int limit) noexcept
    cdef unsigned int take_due(self, nanoseconds now, HeapNode* due) noexcept
    cdef int verify(self) except -1
