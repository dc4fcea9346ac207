from everloop.sys.socket cimport iovec

cdef enum:
    VECTORS = 64  # chunks handed to the kernel at once

cdef class WriteBuffer:
    cdef list chunks       # bytes objects
    cdef Py_ssize_t head   # how many of the chunks are done
    cdef Py_ssize_t sent   # bytes of chunks[head] that are done
    cdef Py_ssize_t size   # bytes to go

    cdef int add(self, bytes chunk) except -1
    cdef int vectors(self, iovec* vector) noexcept
    cdef int advance(self, Py_ssize_t count) except -1
    cdef void clear(self)
