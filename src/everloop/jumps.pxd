from everloop.loop cimport Loop

cdef int watch_for_jumps(Loop loop) except -1
cdef int watch_no_longer(Loop loop) except -1
