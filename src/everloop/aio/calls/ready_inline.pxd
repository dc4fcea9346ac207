# Into and out of the ready queue: apart from ready.pxd, which is read while Handle is
# still being declared.
from cpython.object cimport PyObject
from everloop.aio.calls.handle cimport Handle
from everloop.aio.calls.ready cimport ReadyQueue
from everloop.sys.python cimport PyObject_GC_IsTracked, PyObject_GC_Track, PyObject_GC_UnTrack

cdef inline void append(ReadyQueue queue, Handle handle):
    if queue.count:
        queue.last.next = handle
    else:
        queue.first = handle
    queue.last = handle
    queue.count += 1

cdef inline void join(ReadyQueue queue, ReadyQueue other) noexcept:
    """Move all of the other, which must not be empty, to the end of the queue."""
    if queue.count:
        queue.last.next = other.first
    else:
        queue.first = other.first
    queue.last = other.last
    queue.count += other.count
    other.first = None
    other.last = None
    other.count = 0

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

# The garbage collector need not look at what will be done and gone in a moment: it
# would run again and again for a queue of thousands.
cdef inline void hide(Handle handle):
    PyObject_GC_UnTrack(<PyObject*>handle)

cdef inline void show(Handle handle):
    if not PyObject_GC_IsTracked(handle):
        PyObject_GC_Track(<PyObject*>handle)
