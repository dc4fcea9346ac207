from everloop.aio.transports.carrying cimport Carrying

cdef class Core(Carrying):
    cdef public bint _closed
    cdef set callback_tasks   # asyncio itself does not keep tasks
