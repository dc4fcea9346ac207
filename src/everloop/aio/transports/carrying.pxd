from everloop.aio.descriptors.driving cimport Driving
from everloop.aio.transports.datagram_batch cimport DatagramBatch
from libc.stdint cimport uint64_t

cdef class Carrying(Driving):
    cdef dict listeners          # descriptor: Listener
    cdef DatagramBatch batch     # room for datagrams; None before the first, and while in use
    cdef bytes spare             # of spare_size bytes, for reading much; None while in use
    cdef Py_ssize_t spare_size
    cdef uint64_t received       # bytes, from sockets
    cdef uint64_t sent
    cdef uint64_t transports_made

    cdef DatagramBatch take_batch(self)
