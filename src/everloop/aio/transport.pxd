from cpython.object cimport PyObject
from everloop.aio.core cimport Core
from everloop.aio.served_io cimport ServedIo
from everloop.aio.tls cimport SSLCore

cdef enum:
    HIGH_WATER = 64 * 1024

cdef class TransportIo(ServedIo):
    cdef SocketTransport transport

cdef class SocketTransport:
    cdef object __weakref__
    cdef dict __dict__           # for tests that put something in a method's place
    cdef Core loop
    cdef readonly int fd         # -1 once closed
    cdef object sock             # socket.socket, or None as long as nobody asks
    cdef int family
    cdef object protocol
    cdef SSLCore tls             # the same, if it is of that kind, or None
    cdef object context
    cdef dict extra
    cdef object server
    cdef TransportIo reader      # None once closed
    cdef TransportIo writer      # None until the kernel is too slow
    cdef Py_ssize_t high_water
    cdef Py_ssize_t low_water
    cdef int lost                # connection_lost() is on its way; counts writes after
    cdef bint buffered           # the protocol is a BufferedProtocol
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
    cdef int tell_flow(self, str method) except -1
    cdef int tell(self, str method, object argument, PyObject* second=*) noexcept
    cdef object ask(self, object method, tuple arguments)
    cdef int protocol_failed(self, str message) except -1
    cdef int fail(self, object error, str message) except -1
    cdef int report(self, str message, object error) except -1
    cdef int shut(self, object error) except -1
    cdef int lose(self, object error) except -1
    cdef int lose_at_once(self) except -1
    cdef int lost_write(self) except -1
    cdef object socket_object(self)

cdef int set_up(SocketTransport self, Core loop, int fd, int family, object protocol, object server, object context) except -1
cdef object name_of(object get_name)
cdef int begin_with_socket(SocketTransport self, object sock, object extra, object waiter) except -1
cdef int check_bytes(object data) except -1
cdef bytes as_bytes(object data)
cdef object enter(object context)
cdef int detach(SocketTransport self) except -1
