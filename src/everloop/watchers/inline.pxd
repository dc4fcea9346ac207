# What starts and stops of the kinds do that start and stop most: inline.
#
# Usually there is little to do. Whether that is so is asked first and at once, so that the usual
# way has no calls in it; all else is left to functions that do whatever there is to do.
#
# What a loop has, it has for as long as it lives, and its watcher owns it: pointers do here, where
# variables would count references.
from cpython.object cimport PyObject
from everloop.clock cimport from_seconds
from everloop.engine.calling cimport CallingLoop
from everloop.engine.holding cimport SINCE_BITS
from everloop.engine.holding_inline cimport activate, deactivate
from everloop.engine.inline cimport unable
from everloop.queues.heap cimport Heap
from everloop.queues.heap_inline cimport insert, postpone
from everloop.queues.descriptors cimport CHANGED, DOUBTED, Descriptor, DescriptorTable
from everloop.queues.descriptors_inline cimport chain, link, unlink
from everloop.queues.entry cimport ACTIVE
from everloop.queues.roster cimport Roster
from everloop.queues.roster_inline cimport is_last, leave_last, take_seat
from everloop.watcher cimport Watcher
from everloop.watchers.io cimport Io
from everloop.watchers.timer cimport Timer

cdef inline bint startable(Watcher watcher) noexcept:
    """Whether it is not active, pending or the loop's own, and its loop can take it."""
    cdef PyObject* loop = <PyObject*>watcher.loop
    return (
        watcher.flags == 0
        and watcher.seat == 0
        and not unable(<CallingLoop>loop)
        and not watcher.loop.waiting
    )

cdef inline void start_taken(Watcher watcher) noexcept:
    """The last step of a start of one that is startable()."""
    cdef PyObject* roster = <PyObject*>watcher.loop.roster
    take_seat(<Roster>roster, watcher, <unsigned int>(watcher.loop.lately >> SINCE_BITS))
    watcher.flags = ACTIVE
    watcher.loop.references += 1

cdef inline bint stoppable(Watcher watcher) noexcept:
    """Whether it was the last to start, is not pending and not the loop's own."""
    cdef PyObject* roster
    if watcher.flags != ACTIVE or watcher.slot or watcher.loop.waiting:
        return False
    roster = <PyObject*>watcher.loop.roster
    return is_last(<Roster>roster, watcher)

cdef inline void stop_left(Watcher watcher) noexcept:
    """The last step of a stop of one that is stoppable()."""
    cdef PyObject* roster = <PyObject*>watcher.loop.roster
    watcher.flags = 0
    watcher.loop.references -= 1
    leave_last(<Roster>roster, watcher)

cdef inline bint start_io_quickly(Io io) noexcept:
    """Start it, if that is all: its descriptor is to be handed over anyway."""
    cdef PyObject* table
    if not startable(io) or io.fd >= io.loop.descriptors.capacity:
        return False
    if io.loop.descriptors.slots[io.fd].flags != (CHANGED | DOUBTED):
        return False
    table = <PyObject*>io.loop.descriptors
    chain(<DescriptorTable>table, io)
    start_taken(io)
    return True

cdef inline bint stop_io_quickly(Io io) noexcept:
    """Stop it, if that is all: its descriptor is to be handed over anyway."""
    cdef Descriptor* slot
    if not stoppable(io):
        return False
    slot = &io.loop.descriptors.slots[io.fd]
    if not slot.flags & CHANGED or slot.head != <PyObject*>io:
        return False
    slot.head = io.next_on_fd
    io.next_on_fd = NULL
    io.loop.descriptors.linked -= 1
    stop_left(io)
    return True

cdef inline int start_io(Io io) except -1:
    """For one that is not active, in a loop that has a seat for it."""
    cdef PyObject* loop = <PyObject*>io.loop
    cdef PyObject* table = <PyObject*>io.loop.descriptors
    link(<DescriptorTable>table, io)
    return activate(<CallingLoop>loop, io)

cdef inline int stop_io(Io io) except -1:
    """For one that is active."""
    cdef PyObject* loop = <PyObject*>io.loop
    cdef PyObject* table = <PyObject*>io.loop.descriptors
    unlink(<DescriptorTable>table, io)
    return deactivate(<CallingLoop>loop, io)

cdef inline bint start_timer_quickly(Timer timer) noexcept:
    """Start it, if that is all."""
    cdef PyObject* heap
    if not startable(timer) or timer.loop.stale or timer.loop.timers.count == timer.loop.timers.capacity:
        return False
    heap = <PyObject*>timer.loop.timers
    insert(<Heap>heap, timer, timer.loop.mono + from_seconds(timer.rest))
    start_taken(timer)
    return True

cdef inline int stop_timer(Timer timer) except -1:
    """For one that is active."""
    cdef PyObject* loop = <PyObject*>timer.loop
    timer.loop.timers.remove(timer)
    return deactivate(<CallingLoop>loop, timer)

cdef inline bint move_timer_quickly(Timer timer) noexcept:
    """Put off one that is active by its repeat, if that is all."""
    cdef PyObject* heap
    if timer.flags != ACTIVE or timer.slot or not timer._repeat > 0.0:
        return False
    if timer.loop.stale or timer.loop.waiting:
        return False
    heap = <PyObject*>timer.loop.timers
    postpone(<Heap>heap, timer, timer.loop.mono + from_seconds(timer._repeat))
    return True
