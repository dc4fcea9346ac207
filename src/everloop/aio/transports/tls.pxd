from everloop.sys cimport traceless

cdef enum:
    RECORD = 16 * 1024     # the longest plain text of one TLS record, in bytes
    ROOM = 64 * 1024       # read at once below a transport that is not one of ours

cdef class SSLCore:
    # Those that the standard library's SSLProtocol has, under its names.
    cdef public object _state
    cdef public object _incoming          # ssl.MemoryBIO: from the network
    cdef public object _outgoing          # ssl.MemoryBIO: to the network
    cdef public object _app_protocol
    cdef public object _transport
    cdef public object _write_backlog
    cdef public Py_ssize_t _write_buffer_size
    cdef public Py_ssize_t _outgoing_high_water
    cdef public Py_ssize_t _outgoing_low_water
    cdef public Py_ssize_t _incoming_high_water
    cdef public Py_ssize_t _incoming_low_water
    cdef public bint _app_reading_paused
    cdef public bint _app_writing_paused
    cdef public bint _app_protocol_is_buffer
    cdef public bint _ssl_reading_paused
    cdef public bint _ssl_writing_paused

    cdef object session      # ssl.SSLObject
    cdef object read_some    # its methods, those of C
    cdef object write_some
    cdef object decrypted    # how many bytes of plain text wait in it
    cdef bint held           # data is not handed on yet
    cdef bint partial        # it holds a part of a record

    cdef int take_in(self, char* data, Py_ssize_t count) except -1
    cdef int go_on(self) except -1
    cdef int read_into_buffer(self) except -1
    cdef int read_records(self) except -1
    cdef object read_record(self)
    cdef int send_outgoing(self) except -1
    cdef int write(self, object data) except -1

cdef bint takes_buffer(object protocol) except -1
