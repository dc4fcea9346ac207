# What every start and stop of a watcher does last: inline for the kinds that start and stop
# most, a method of the loop for the others.
from cpython.object cimport PyObject
from everloop.engine.holding cimport SINCE_BITS, HoldingLoop
from everloop.queues.entry cimport ACTIVE, FED, INTERNAL, OWN, Entry
from everloop.queues.roster cimport Roster
from everloop.queues.roster_inline cimport board, leave
from everloop.sys.compiler cimport unlikely
from everloop.sys.threads cimport store

cdef inline int activate(HoldingLoop loop, Entry watcher) except -1:
    """The watcher is active from here on; its kind's structure has it already."""
    cdef PyObject* roster = <PyObject*>loop.roster  # without a reference of its own
    if unlikely(watcher.seat):
        # It was pending; its place is that of its start.
        leave(<Roster>roster, watcher)
    board(<Roster>roster, watcher, <unsigned int>(loop.lately >> SINCE_BITS))
    store(&watcher.flags, (watcher.flags | ACTIVE) & ~FED)
    if not watcher.flags & INTERNAL:
        loop.references += 1
    if unlikely(loop.waiting):
        loop.waker.wake()
    return 0

cdef inline int deactivate(HoldingLoop loop, Entry watcher) except -1:
    """The watcher is stopped; its kind's structure has it no longer."""
    cdef PyObject* roster = <PyObject*>loop.roster
    if not watcher.flags & INTERNAL:
        loop.references -= 1
    store(&watcher.flags, watcher.flags & OWN)
    if unlikely(watcher.slot):
        loop.queue.take_back(watcher)
    leave(<Roster>roster, watcher)
    if unlikely(loop.waiting):
        loop.waker.wake()
    return 0
