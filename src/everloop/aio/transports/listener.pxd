from everloop.aio.descriptors.served_io cimport ServedIo
from everloop.aio.transports.address cimport Address
from everloop.aio.transports.carrying cimport Carrying

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

cdef class Accepted:
    cdef Listener listener
    cdef Address peer
    cdef int fd

cdef Listener new_listener(Carrying loop, object sock, object server)
