from everloop.aio.address cimport Address
from everloop.aio.core cimport Core
from everloop.aio.transport cimport SocketTransport
from everloop.aio.write_buffer cimport WriteBuffer

cdef enum:
    LARGE = 16 * 1024       # bytes read at once after which the next are not copied

cdef class StreamTransport(SocketTransport):
    cdef WriteBuffer buffer      # None until something is to be kept
    cdef object empty_waiter     # a future that sendfile() waits for
    cdef Py_ssize_t last_read    # bytes
    cdef bint eof                # write_eof()

    cdef int read_bytes(self) except -1
    cdef int read_large(self) except -1
    cdef int read_rest(self, bytes data) except -1
    cdef int hand_over(self, bytes data) except -1
    cdef int read_into(self) except -1
    cdef int read_records(self) except -1
    cdef int read_failed(self) except -1
    cdef int end_of_file(self) except -1
    cdef int check_writable(self, str method) except -1
    cdef int give(self, const char* data, Py_ssize_t size, object owner) except -1
    cdef int keep(self, bytes data) except -1
    cdef int send_kept(self) except -1
    cdef int send_some(self) noexcept
    cdef int write_failed(self) except -1
    cdef int shut_writes(self) except -1
    cdef int give_up(self) except -1

cdef StreamTransport new_stream(Core loop, object sock, object protocol, object waiter, object extra, object server, object context)
cdef StreamTransport accepted_stream(Core loop, int fd, int family, object protocol, object server, object context, Address* peer)
