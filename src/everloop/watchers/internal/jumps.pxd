from everloop.engine.calling cimport CallingLoop

cdef int watch_for_jumps(CallingLoop loop) except -1
cdef int watch_no_longer(CallingLoop loop) except -1
