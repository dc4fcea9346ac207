from everloop.queues.pending cimport PendingQueue

cdef void put_in_order(PendingQueue queue, int rank, unsigned int start) noexcept
cdef list pending_descriptors(PendingQueue queue)
