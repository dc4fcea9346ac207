from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.transports.datagram_batch cimport DatagramBatch
from everloop.aio.transports.transport cimport SocketTransport
from everloop.sys.socket cimport sockaddr_storage

cdef enum:
    HEADER = 8             # bytes that count for a datagram beside its data
    NAMES = 256            # addresses that are remembered

cdef class DatagramTransport(SocketTransport):
    cdef object peer         # the address that all goes to, or None
    cdef list queue          # (bytes, address in the kernel's form or None, address) to go
    cdef Py_ssize_t head     # how many of them are done
    cdef Py_ssize_t size     # bytes in the queue, headers included
    cdef list held           # received, but not handed over: other calls come first, or a pause
    cdef dict names          # address in the kernel's form: as the socket module has it
    cdef dict raws           # the reverse

    cdef int receive_batch(self) except -1
    cdef int receive_one(self) except -1
    cdef int receive_foreign(self) except -1
    cdef int hold_rest(self, DatagramBatch batch, int start, int count) except -1
    cdef int take(self, const char* data, Py_ssize_t size, sockaddr_storage* name, unsigned int length) except -1
    cdef int hold(self, const char* data, Py_ssize_t size, sockaddr_storage* name, unsigned int length) except -1
    cdef int deliver_later(self) except -1
    cdef int deliver(self, bytes piece, object address) except -1
    cdef int receiver_failed(self) except -1
    cdef int tell_error(self, object error) except -1
    cdef object name(self, sockaddr_storage* name, unsigned int length)
    cdef object raw(self, object address)
    cdef int datagram_error(self, int error) except -1
    cdef int send_one(self, bytes data, object raw, object address) except -1
    cdef int send_queue(self) except -1
    cdef int send_batch(self) except -2
    cdef int send_named(self, object data, object address) except -1
    cdef int took(self, Py_ssize_t count) except -1

cdef DatagramTransport new_datagram(Carrying loop, object sock, object protocol, object peer, object waiter, object extra)
