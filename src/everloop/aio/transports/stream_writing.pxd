from everloop.aio.transports.transport cimport SocketTransport
from everloop.aio.transports.write_buffer cimport WriteBuffer

cdef class StreamWriting(SocketTransport):
    cdef WriteBuffer buffer      # None until something is to be kept
    cdef object empty_waiter     # a future that sendfile() waits for
    cdef bint eof                # write_eof()

    cdef int check_writable(self, str method) except -1
    cdef int give(self, const char* data, Py_ssize_t size, object owner) except -1
    cdef int keep(self, bytes data) except -1
    cdef int send_kept(self) except -1
    cdef int send_some(self) noexcept
    cdef int write_failed(self) except -1
    cdef int shut_writes(self) except -1
