# Into and out of the ready queue: apart from ready.pxd, which is read while Handle is
# still being declared.
from cpython.object cimport PyObject
from everloop.aio.calls.handle cimport Handle
from everloop.aio.calls.ready cimport ReadyQueue
from everloop.sys.python cimport PyObject_GC_IsTracked, PyObject_GC_Track, PyObject_GC_UnTrack

cdef inline void append(ReadyQueue queue, Handle handle) noexcept:
    if queue.count:
        queue.last.next = handle
    else:
        queue.first = handle
    queue.last = handle
    queue.count += 1

cdef inline Handle append_in_lock(ReadyQueue queue, Handle handle):
    """The same, but what was last is not dropped by the queue: it is returned."""
    cdef Handle last = handle
    if queue.count:
        queue.last.next, last = last, queue.last.next
    else:
        queue.first, last = last, queue.first
    queue.count += 1
    last = handle
    queue.last, last = last, queue.last
    return last

cdef inline void join(ReadyQueue queue, ReadyQueue other) noexcept:
    """Move all of the other, which must not be empty, to the end of the queue."""
    cdef Handle last = None
    if queue.count:
        queue.last.next, other.first = other.first, queue.last.next
    else:
        queue.first, other.first = other.first, queue.first
    queue.count += other.count
    other.count = 0
    queue.last, other.last, last = other.last, last, queue.last

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
    show_context(handle)

cdef inline void show_context(Handle handle):
    if handle.context_hidden:
        handle.context_hidden = False
        PyObject_GC_Track(<PyObject*>handle.context)
