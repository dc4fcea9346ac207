# Into and out of the roster: what every start and stop of a watcher does. Inline, as
# pending_inline.pxd.
from cpython.object cimport PyObject
from everloop.queues.entry cimport Entry
from everloop.queues.roster cimport Roster, add_seats, leave_gap
from everloop.sys.compiler cimport unlikely
from everloop.sys.python cimport Py_DECREF, Py_INCREF, list_items, list_length, set_list_length

cdef inline bint full(Roster roster) noexcept:
    """Whether add_seats() is to be called before the next one boards."""
    return list_length(<PyObject*>roster.seats) == roster.room

cdef inline int board(Roster roster, Entry watcher, unsigned int now) except -1:
    """Own a watcher that is not aboard yet."""
    if unlikely(full(roster)):
        add_seats(roster)
    take_seat(roster, watcher, now)
    return 0

cdef inline void take_seat(Roster roster, Entry watcher, unsigned int now) noexcept:
    """The same where there is room."""
    cdef Py_ssize_t place = list_length(<PyObject*>roster.seats)
    Py_INCREF(<PyObject*>watcher)
    list_items(<PyObject*>roster.seats)[place] = <PyObject*>watcher
    set_list_length(<PyObject*>roster.seats, place + 1)
    roster.since[place] = now
    watcher.seat = <unsigned int>(place + 1)

cdef inline int leave(Roster roster, Entry watcher) except -1:
    """Own the watcher no longer; nothing if it is not aboard."""
    cdef Py_ssize_t seat = watcher.seat
    if seat == 0:
        return 0
    if is_last(roster, watcher):
        leave_last(roster, watcher)
        return 0
    watcher.seat = 0
    leave_gap(roster, seat)
    Py_DECREF(<PyObject*>watcher)
    return 0

cdef inline bint is_last(Roster roster, Entry watcher) noexcept:
    """Whether nobody boarded after the watcher, which is aboard, and no seat is empty."""
    return watcher.seat == list_length(<PyObject*>roster.seats) and roster.empty == 0

cdef inline void leave_last(Roster roster, Entry watcher) noexcept:
    """The same for one that is_last()."""
    set_list_length(<PyObject*>roster.seats, watcher.seat - 1)
    watcher.seat = 0
    Py_DECREF(<PyObject*>watcher)
