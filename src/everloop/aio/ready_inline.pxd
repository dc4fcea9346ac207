# Into and out of the ready queue: apart from ready.pxd, which is read while Handle is
# still being declared.
from everloop.aio.handle cimport Handle
from everloop.aio.ready cimport ReadyQueue

cdef inline void append(ReadyQueue queue, Handle handle):
    if queue.count:
        queue.last.next = handle
    else:
        queue.first = handle
    queue.last = handle
    queue.count += 1

cdef inline Handle take(ReadyQueue queue):
    """The next handle; there must be one."""
    cdef Handle handle = queue.first
    queue.first = handle.next
    queue.count -= 1
    if queue.count:
        handle.next = None
    else:
        queue.last = None
    return handle
