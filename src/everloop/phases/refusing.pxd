from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef class RefusingLoop(CallingLoop):
    cdef int tell_at_once(self, Watcher watcher) except -1
    cdef int raise_refused(self) except -1
    cdef int refuse(self, Watcher watcher, int error) except -1
