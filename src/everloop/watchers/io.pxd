from cpython.object cimport PyObject
from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef class Io(Watcher):
    # Watcher.extra: the events asked for.
    cdef readonly int fd
    cdef PyObject* next_on_fd  # Io, borrowed: the descriptor table's chain

# Not for others: named here, they are not inlined, as they must not be.
cdef int start_thoroughly(Io self) except -1
cdef int stop_thoroughly(Io self) except -1

cdef Io new_internal_io(CallingLoop loop, int fd, int events, object callback)
cdef Io new_io(CallingLoop loop, object fd, object events, object callback, object data, object priority)
