from everloop.engine.calling cimport CallingLoop
from everloop.watchers.io cimport Io

cdef int internal_refused(CallingLoop loop, Io io, int error) except -1
