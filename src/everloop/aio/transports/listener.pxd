from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.descriptors.served_io cimport ServedIo

cdef class Listener(ServedIo):
    cdef object sock
    cdef object factory
    cdef object server
    cdef object context   # each connection gets a copy
    cdef dict tls         # options of FastSSLProtocol, or None
    cdef int family
    cdef int backlog

    cdef int give_up(self) except -1
    cdef int accept_one(self) except -1
    cdef int accept_failed(self, int error) except -1
    cdef int report(self, str message, object error) except -1

cdef Listener new_listener(Carrying loop, object sock, object server)
