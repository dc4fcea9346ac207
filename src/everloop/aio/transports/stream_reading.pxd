from everloop.aio.transports.stream_writing cimport StreamWriting

cdef enum:
    LARGE = 16 * 1024       # bytes read at once after which the next are not copied

cdef class StreamReading(StreamWriting):
    cdef Py_ssize_t last_read    # bytes

    cdef int read_bytes(self) except -1
    cdef int read_large(self) except -1
    cdef int read_rest(self, bytes data) except -1
    cdef int hand_over(self, bytes data) except -1
    cdef int read_into(self) except -1
    cdef int read_records(self) except -1
    cdef int read_failed(self) except -1
    cdef int end_of_file(self) except -1
