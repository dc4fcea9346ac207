# From the kernel to the pending queue: inline, as pending_inline.pxd.
from cpython.object cimport PyObject
from everloop.queues.descriptors cimport CHANGED, Descriptor, DescriptorTable
from everloop.queues.pending cimport PendingQueue
from everloop.queues.pending_inline cimport push
from everloop.watchers.io cimport Io

cdef inline int feed(Descriptor* slot, int revents, PendingQueue pending) except -1:
    """Queue the watchers of a descriptor that ask for any of revents."""
    cdef PyObject* io = slot.head
    cdef int wanted
    while io != NULL:
        wanted = (<Io>io).extra & revents
        if wanted:
            push(pending, <Io>io, wanted)
        io = (<Io>io).next_on_fd
    return 0

cdef inline int report(Descriptor* slot, int revents, PendingQueue pending) except -1:
    """The kernel says that revents happened.

    What it says of a descriptor that changed since it was last told may be about
    another file, so that is dropped; events are level-triggered and come again.
    """
    if slot.flags & CHANGED:
        return 0
    return feed(slot, revents, pending)
