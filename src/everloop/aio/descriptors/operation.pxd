from everloop.aio.descriptors.watching cimport Watching
from everloop.aio.descriptors.served_io cimport ServedIo

cdef class Operation(ServedIo):
    cdef object sock
    cdef object future     # None as long as it need not be waited for

    cdef object attempt(self)
    cdef bint was_closed(self) except -1

cdef class Receive(Operation):
    cdef Py_ssize_t size

    cdef object attempt_large(self)

cdef class ReceiveInto(Operation):
    cdef object room

cdef class SendAll(Operation):
    cdef object data       # a memoryview of bytes
    cdef Py_ssize_t done

cdef class Accept(Operation):
    pass

cdef int get_room(object room, Py_buffer* view) except -1
cdef bint abandon(Watching loop, int fd, int events) except -1
cdef int refuse_closed(Watching loop) except -1
cdef object perform(Operation operation, Watching loop, object sock, int events)
