from everloop.aio.descriptors.watching cimport Watching
from everloop.aio.calls.handle cimport Handle
from everloop.aio.descriptors.served_io cimport ServedIo

cdef class CallbackIo(ServedIo):
    cdef object file    # as given: a number, or what has one
    cdef Handle handle

cdef CallbackIo new_callback_io(Watching loop, int fd, int events, Handle handle)
