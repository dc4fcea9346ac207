from everloop.watcher cimport Watcher

cdef class Roster:
    cdef list seats   # watchers in the order of boarding; None: an empty seat
    cdef Py_ssize_t empty

    cdef int board(self, Watcher watcher) except -1
    cdef int leave(self, Watcher watcher) except -1
    cdef int verify(self) except -1
