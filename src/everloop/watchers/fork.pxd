from everloop.watcher cimport Watcher

cdef class Fork(Watcher):
    # Watcher.position: its place in the loop's array.
    pass
