"""Who owns the watchers that the loop's arrays point to.

A watcher is aboard while it is active or pending. The arrays of the hot path
hold borrowed pointers, which the garbage collector can't see; the list here
holds the references, which it can.

Invariants:
- ``seats[watcher.seat - 1] is watcher`` for each watcher aboard; ``seat == 0``
  for all others.
- Seats are taken in the order of boarding. One left in the middle stays empty
  (None) until half of them are, then all move up. The last one is never empty.
- There is memory for ``room`` seats, in the list, whose length is set in place, and in
  ``since``.
- No foreign code runs inside these functions: whoever makes a watcher leave holds a
  reference to it, and no object is made that could set off the garbage collector.

The operations of every start and stop, `board` and `leave`, are inline: see
roster_inline.pxd.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.queues.entry import ACTIVE, OWN, Entry
from cython.cimports.everloop.queues.roster_inline import full
from cython.cimports.everloop.sys.python import (
    Py_DECREF,
    Py_INCREF,
    list_items,
    set_list_length,
)

from everloop.errors import Error


@cython.final
@cython.cclass
class Roster:
    def __cinit__(self):
        self.seats = []

    def __dealloc__(self):
        PyMem_RawFree(self.since)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def reserve(self) -> cython.int:
        """Have a seat for the next one that boards: the only step that can fail."""
        if full(self):
            add_seats(self)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def aboard(self) -> cython.Py_ssize_t:
        """How many watchers are."""
        return len(self.seats) - self.empty

    @cython.cfunc
    def watchers(self) -> list:
        """All watchers aboard, in the order of boarding."""
        return [watcher for watcher in self.seats if watcher is not None]

    @cython.cfunc
    def shown(self) -> list:
        """Those of them that are active, but for the loop's own."""
        return [watcher for watcher in self.watchers() if is_shown(watcher)]

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify(self) -> cython.int:
        place: cython.Py_ssize_t
        empty: cython.Py_ssize_t = 0
        for place in range(len(self.seats)):
            if self.seats[place] is None:
                empty += 1
                continue
            watcher: Entry = self.seats[place]
            if watcher.seat != place + 1:
                raise Error(f"roster: {watcher!r} does not know its seat")
            if not watcher.flags and watcher.slot == 0:
                raise Error(f"roster: {watcher!r} is neither active nor pending")
        if self.room < len(self.seats):
            raise Error("roster: there are more seats than room")
        if empty != self.empty:
            raise Error("roster: the count of empty seats is wrong")
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def add_seats(roster: Roster) -> cython.int:
    """Make room. One by one: a new list could have the garbage collector run here."""
    taken: cython.Py_ssize_t = len(roster.seats)
    room: cython.Py_ssize_t = taken + 8 + taken // 8
    since = cython.cast(
        cython.pointer[cython.uint],
        PyMem_RawRealloc(roster.since, room * cython.sizeof(cython.uint)),
    )
    if since == cython.NULL:
        raise MemoryError("no memory for watchers")
    roster.since = since
    try:
        while len(roster.seats) < room:
            roster.seats.append(None)
    finally:
        roster.room = len(roster.seats)
        shorten(roster, taken)
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def shorten(roster: Roster, length: cython.Py_ssize_t) -> cython.void:
    """Give up the seats at the end, which are empty; their memory stays."""
    surplus: cython.Py_ssize_t = len(roster.seats) - length
    set_list_length(cython.cast(cython.pointer[PyObject], roster.seats), length)
    while surplus:
        Py_DECREF(cython.cast(cython.pointer[PyObject], None))
        surplus -= 1


@cython.cfunc
@cython.exceptval(-1, check=False)
def leave_gap(roster: Roster, seat: cython.Py_ssize_t) -> cython.int:
    """A seat in the middle is left, or the last one behind empty ones; not its reference."""
    items = list_items(cython.cast(cython.pointer[PyObject], roster.seats))
    nobody = cython.cast(cython.pointer[PyObject], None)
    taken: cython.Py_ssize_t = len(roster.seats)
    Py_INCREF(nobody)
    items[seat - 1] = nobody
    roster.empty += 1
    if seat < taken:
        if roster.empty > 32 and roster.empty * 2 > taken:
            move_up(roster)
        return 0
    while roster.empty and items[taken - 1] == nobody:
        taken -= 1
        roster.empty -= 1
    shorten(roster, taken)
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def move_up(roster: Roster) -> cython.void:
    """Close the gaps, keeping the order; in place, for the same reason."""
    items = list_items(cython.cast(cython.pointer[PyObject], roster.seats))
    nobody = cython.cast(cython.pointer[PyObject], None)
    place: cython.Py_ssize_t
    kept: cython.Py_ssize_t = 0
    for place in range(len(roster.seats)):
        watcher = items[place]
        if watcher != nobody:
            items[kept] = watcher
            roster.since[kept] = roster.since[place]
            kept += 1
            cython.cast(Entry, watcher).seat = cython.cast(cython.uint, kept)
    roster.empty = 0
    shorten(roster, kept)


@cython.cfunc
@cython.exceptval(check=False)
def is_shown(watcher: Entry) -> cython.bint:
    return watcher.flags & (ACTIVE | OWN) == ACTIVE
