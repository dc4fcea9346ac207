from everloop.loop cimport Loop
from everloop.watchers.io cimport Io

cdef int internal_refused(Loop loop, Io io, int error) except -1
