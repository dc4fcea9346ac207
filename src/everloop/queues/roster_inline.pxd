# Into and out of the roster: what every start and stop of a watcher does. Inline, as
# pending_inline.pxd.
from cpython.object cimport PyObject
from everloop.queues.entry cimport Entry
from everloop.queues.roster cimport Roster, add_seats, leave_gap
from everloop.sys.python cimport put_item

cdef inline int board(Roster roster, Entry watcher) except -1:
    """Own the watcher; nothing if it is aboard already."""
    if watcher.seat:
        return 0
    if roster.taken == roster.room:
        add_seats(roster)
    put_item(<PyObject*>roster.seats, roster.taken, <PyObject*>watcher)
    roster.taken += 1
    watcher.seat = <unsigned int>roster.taken
    return 0

cdef inline int leave(Roster roster, Entry watcher) except -1:
    """Own the watcher no longer; nothing if it is not aboard."""
    cdef Py_ssize_t seat = watcher.seat
    if seat == 0:
        return 0
    watcher.seat = 0
    put_item(<PyObject*>roster.seats, seat - 1, <PyObject*>None)
    if seat == roster.taken and roster.empty == 0:
        roster.taken -= 1
        return 0
    return leave_gap(roster, seat)
