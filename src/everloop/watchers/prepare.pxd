from everloop.watcher cimport Watcher

cdef class Prepare(Watcher):
    # Watcher.position: its place in the loop's array.
    pass
