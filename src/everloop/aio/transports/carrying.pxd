from everloop.aio.descriptors.driving cimport Driving
from everloop.aio.transports.datagram_batch cimport DatagramBatch

cdef class Carrying(Driving):
    cdef dict listeners          # descriptor: Listener
    cdef DatagramBatch batch     # room for datagrams; None before the first, and while in use
    cdef bytes spare             # of spare_size bytes, for reading much; None while in use
    cdef Py_ssize_t spare_size

    cdef DatagramBatch take_batch(self)
