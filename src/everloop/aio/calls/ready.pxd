# The calls that are to be made as soon as possible, first in, first out.
from everloop.aio.calls.handle cimport Handle

cdef enum:
    MANY = 128  # calls in the queue; to hide the contexts of fewer costs more than it saves

cdef class ReadyQueue:
    # A chain by Handle.next, which owns its links.
    cdef Handle first   # None if empty
    cdef Handle last
    cdef Py_ssize_t count

    cdef void clear(self)
    cdef void rest(self)

cdef void hide_context(Handle handle) noexcept
