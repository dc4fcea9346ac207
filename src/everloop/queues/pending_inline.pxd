# Into and out of the pending queue: every event goes through both, so they are
# inline, which across modules only a header can be.
from cpython.object cimport PyObject
from everloop.queues.pending cimport Lane, PendingEvent, PendingQueue, grow
from everloop.sys.compiler cimport __builtin_prefetch
from everloop.queues.entry cimport Entry

cdef inline int push(PendingQueue queue, Entry watcher, int revents) except -1:
    """Add revents to the watcher's entry, which is made if it has none."""
    cdef Lane* lane = &queue.lanes[watcher.rank]
    if watcher.slot:
        lane.events[watcher.slot - 1].revents |= revents
        return 0
    if lane.count == lane.capacity:
        grow(lane)
    cdef PendingEvent* event = &lane.events[lane.count]
    event.watcher = <PyObject*>watcher
    event.revents = revents
    lane.count += 1
    watcher.slot = lane.count
    if watcher.rank > queue.cursor:
        queue.cursor = watcher.rank
    return 0

cdef inline PendingEvent pop(PendingQueue queue) noexcept:
    """The next entry, of the highest priority; there must be one."""
    cdef Lane* lane = &queue.lanes[queue.cursor]
    lane.count -= 1
    if lane.count > 4:
        __builtin_prefetch(lane.events[lane.count - 4].watcher)
    elif lane.count == 0:
        queue.lower_cursor()
    return lane.events[lane.count]
