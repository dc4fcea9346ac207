from everloop.watcher cimport Watcher

cdef class Idle(Watcher):
    # Watcher.position: its place in the loop's array of its rank.
    pass
