# From the kernel to the pending queue, and what every start and stop of an Io does: inline, as
# pending_inline.pxd.
from cpython.object cimport PyObject
from everloop.queues.descriptors cimport CHANGED, DOUBTED, Descriptor, DescriptorTable
from everloop.queues.entry cimport STRAY
from everloop.queues.pending cimport PendingQueue
from everloop.queues.pending_inline cimport push
from everloop.sys.compiler cimport unlikely
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

cdef inline int link(DescriptorTable table, Io io) except -1:
    """Add an Io to its descriptor's chain and note the change."""
    if unlikely(io.fd >= table.capacity):
        table.make_room(io)
        if io.flags & STRAY:
            return 0
    cdef Descriptor* slot = &table.slots[io.fd]
    if unlikely(slot.flags != (CHANGED | DOUBTED)):
        table.mark_changed(io.fd, DOUBTED)
    chain(table, io)
    return 0

cdef inline void chain(DescriptorTable table, Io io) noexcept:
    """The same where the change is noted."""
    cdef Descriptor* slot = &table.slots[io.fd]
    io.next_on_fd = slot.head
    slot.head = <PyObject*>io
    table.linked += 1

cdef inline int unlink(DescriptorTable table, Io io) except -1:
    """Take an Io out of its descriptor's chain and note the change."""
    if unlikely(io.flags & STRAY):
        return table.forget_stray(io)
    cdef Descriptor* slot = &table.slots[io.fd]
    if unlikely(not slot.flags & CHANGED):
        table.mark_changed(io.fd, 0)
    cdef PyObject** place = &slot.head
    while place[0] != <PyObject*>io:
        place = &(<Io>place[0]).next_on_fd
    place[0] = io.next_on_fd
    io.next_on_fd = NULL
    table.linked -= 1
    return 0
