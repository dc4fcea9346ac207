from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef class InotifyQueue:
    cdef CallingLoop loop
    cdef object callback          # of the internal Io
    cdef int fd                   # or -1
    cdef unsigned int generation  # of the process that opened fd, see process/forking.py
    cdef Watcher io               # internal; None while fd is -1
    cdef unsigned int marking     # threads inside inotify_add_watch()
    cdef list closing             # descriptors that the last of them closes

    cdef int open(self) except -1
    cdef int close(self) except -1
    cdef void close_left(self) noexcept
    cdef bint inherited(self) noexcept
    cdef int add(self, bytes path, unsigned int mask) except? -1

cdef object no_queue(int error, object path)
cdef object too_many(str what, str sysctl, int error, object path)
