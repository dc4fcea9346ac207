from everloop.queues.pending cimport PendingQueue

cdef void put_in_order(PendingQueue queue, int rank, unsigned int start) noexcept
