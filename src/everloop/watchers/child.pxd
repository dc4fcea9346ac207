from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher
from everloop.watchers.io cimport Io

cdef class Child(Watcher):
    # Watcher.extra: whether to tell of stopped and continued as well.
    cdef readonly int pid
    cdef int reported_pid    # rpid: whose status it is
    cdef int reported_status # rstatus: as waitpid(2) gives it

cdef int renew_pidfd(CallingLoop loop, Io io) except -1
cdef int forget_children(CallingLoop loop) except -1
