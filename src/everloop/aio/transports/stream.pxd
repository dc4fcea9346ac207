from everloop.aio.transports.address cimport Address
from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.transports.stream_reading cimport StreamReading

cdef class StreamTransport(StreamReading):
    cdef int give_up(self) except -1

cdef StreamTransport new_stream(Carrying loop, object sock, object protocol, object waiter, object extra, object server, object context)
cdef StreamTransport accepted_stream(Carrying loop, int fd, int family, object protocol, object server, object context, Address* peer)
