from everloop.sys.socket cimport iovec

cdef enum:
    VECTORS = 64  # chunks handed to the kernel at once

cdef class WriteBuffer:
    cdef bytes first       # None if there is nothing to go
    cdef list rest         # the chunks after it; None as long as there was never one
    cdef Py_ssize_t head   # how many of the rest are done
    cdef Py_ssize_t sent   # bytes of first that are done
    cdef Py_ssize_t size   # bytes to go

    cdef int add(self, bytes chunk) except -1
    cdef int vectors(self, iovec* vector) noexcept
    cdef int advance(self, Py_ssize_t count) except -1
    cdef int step(self) except -1
    cdef int clear(self) except -1
