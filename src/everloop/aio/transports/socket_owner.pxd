from everloop.aio.transports.address cimport Name
from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.transports.protocol_calls cimport ProtocolCalls

cdef class SocketOwner(ProtocolCalls):
    cdef readonly int fd         # -1 once closed
    cdef object sock             # socket.socket, or None as long as nobody asks
    cdef int family
    cdef dict extra              # None as long as nobody asks and nothing was given
    cdef Name peer_name          # of an accepted connection, until it is in extra
    cdef Name own_name           # once closed, unless it is in extra
    cdef object server           # None once detached

    cdef object socket_object(self)
    cdef dict known(self)
    cdef object find_out(self, object name)
    cdef int own(self, Carrying loop, int fd, int family, object server) except -1

cdef object name_of(object get_name)
cdef int close_socket(SocketOwner self) except -1
cdef int detach(SocketOwner self) except -1
