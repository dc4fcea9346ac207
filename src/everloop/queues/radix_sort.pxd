from everloop.queues.heap cimport HeapNode

cdef HeapNode* sort_by_time(HeapNode* nodes, HeapNode* spare, unsigned int count) noexcept
