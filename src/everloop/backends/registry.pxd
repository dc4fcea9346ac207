from everloop.backends.backend cimport Backend
from everloop.queues.descriptors cimport DescriptorTable
from everloop.queues.pending cimport PendingQueue

cdef Backend new_backend(int flags, DescriptorTable table, PendingQueue pending)
