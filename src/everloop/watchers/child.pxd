from everloop.loop cimport Loop
from everloop.watcher cimport Watcher

cdef class Child(Watcher):
    # Watcher.extra: whether to tell of stopped and continued as well.
    cdef readonly int pid
    cdef public int rpid     # whose status rstatus is
    cdef public int rstatus  # as waitpid(2) gives it

cdef int forget_children(Loop loop) except -1
