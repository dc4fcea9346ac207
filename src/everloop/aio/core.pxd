from everloop.aio.transports.carrying cimport Carrying

cdef class Core(Carrying):
    cdef public bint _closed
