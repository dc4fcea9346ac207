from everloop.watcher cimport Watcher

cdef class Async(Watcher):
    # Watcher.position: its place in the loop's array.
    # Watcher.extra: whether send() was called and not seen by the loop yet.
    pass
