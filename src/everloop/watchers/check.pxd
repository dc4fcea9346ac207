from everloop.watcher cimport Watcher

cdef class Check(Watcher):
    # Watcher.position: its place in the loop's array.
    pass
