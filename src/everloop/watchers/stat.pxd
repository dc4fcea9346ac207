from everloop.watchers.inodes.inotify cimport Trail
from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher

cdef class Stat(Watcher):
    cdef object _path              # as given: str or bytes
    cdef readonly double interval  # as given
    cdef object _current
    cdef object _previous
    cdef bytes location            # path, absolute
    cdef object seen               # what of the attributes is compared
    cdef unsigned int looks        # at the attributes that counted: any look that saw one end is made again
    cdef Trail trail               # None while stopped

cdef Stat new_stat(CallingLoop loop, object path, double interval, object callback, object data, object priority)
cdef int rebuild_stats(CallingLoop loop) except -1
