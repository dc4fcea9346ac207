from everloop.aio.descriptors.watching cimport Watching
from everloop.watchers.io cimport Io

cdef class ServedIo(Io):
    cdef int begin(self) except -1
    cdef int end(self) except -1
    cdef int serve(self, int revents) except -1
    cdef int refused(self, int error) except -1

cdef int prepare(ServedIo self, Watching loop, int fd, int events) except -1
