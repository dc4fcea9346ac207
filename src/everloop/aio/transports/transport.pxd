from everloop.aio.descriptors.served_io cimport ServedIo
from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.transports.socket_owner cimport SocketOwner

cdef enum:
    HIGH_WATER = 64 * 1024

cdef class TransportIo(ServedIo):
    cdef SocketTransport transport

cdef class SocketTransport(SocketOwner):
    cdef TransportIo reader      # None once closed
    cdef TransportIo writer      # None until the kernel is too slow
    cdef Py_ssize_t high_water
    cdef Py_ssize_t low_water
    cdef int lost                # connection_lost() is on its way; counts writes after
    cdef bint closing
    cdef bint paused             # pause_reading()
    cdef bint held_back          # the protocol was told to pause writing

    cdef int readable(self) except -1
    cdef int writable(self) except -1
    cdef Py_ssize_t kept(self) noexcept
    cdef int drop(self) except -1
    cdef int finish(self) except -1

    cdef int watch_reads(self) except -1
    cdef int watch_writes(self) except -1
    cdef int stop_watching(self) except -1
    cdef int hold_back(self) except -1
    cdef int let_go_on(self) except -1
    cdef int protocol_failed(self, str message) except -1
    cdef int fail(self, object error, str message) except -1
    cdef int shut(self, object error) except -1
    cdef int lose(self, object error) except -1
    cdef int lose_at_once(self) except -1
    cdef int lost_write(self) except -1

cdef int set_up(SocketTransport self, Carrying loop, int fd, int family, object protocol, object server, object context) except -1
cdef int begin_with_socket(SocketTransport self, object sock, object extra, object waiter) except -1
cdef int check_bytes(object data) except -1
cdef bytes as_bytes(object data)
