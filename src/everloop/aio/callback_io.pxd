from everloop.aio.core cimport Core
from everloop.aio.handle cimport Handle
from everloop.aio.served_io cimport ServedIo

cdef class CallbackIo(ServedIo):
    cdef object file    # as given: a number, or what has one
    cdef Handle handle

cdef CallbackIo new_callback_io(Core loop, int fd, int events, Handle handle)
