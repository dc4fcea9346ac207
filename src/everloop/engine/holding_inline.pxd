# What every start and stop of a watcher does last: inline for the kinds that start and stop
# most, a method of the loop for the others.
from everloop.engine.holding cimport SINCE_BITS, HoldingLoop
from everloop.queues.entry cimport ACTIVE, FED, INTERNAL, OWN, Entry
from everloop.queues.roster_inline cimport board, leave
from everloop.sys.threads cimport store

cdef inline int activate(HoldingLoop loop, Entry watcher) except -1:
    """The watcher is active from here on; its kind's structure has it already."""
    if watcher.seat:
        # It was pending; its place is that of its start.
        leave(loop.roster, watcher)
    board(loop.roster, watcher)
    store(&watcher.flags, (watcher.flags | ACTIVE) & ~FED)
    watcher.since = <unsigned int>(loop.lately >> SINCE_BITS)
    if not watcher.flags & INTERNAL:
        loop.references += 1
    if loop.waiting:
        loop.waker.wake()
    return 0

cdef inline int deactivate(HoldingLoop loop, Entry watcher) except -1:
    """The watcher is stopped; its kind's structure has it no longer."""
    if not watcher.flags & INTERNAL:
        loop.references -= 1
    store(&watcher.flags, watcher.flags & OWN)
    if watcher.slot:
        loop.queue.take_back(watcher)
    leave(loop.roster, watcher)
    if loop.waiting:
        loop.waker.wake()
    return 0
