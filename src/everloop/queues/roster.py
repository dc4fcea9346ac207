"""Who owns the watchers that the loop's arrays point to.

A watcher is aboard while it is active or pending. The arrays of the hot path
hold borrowed pointers, which the garbage collector can't see; the list here
holds the references, which it can.

Invariants:
- ``seats[watcher.seat - 1] is watcher`` for each watcher aboard; ``seat == 0``
  for all others.
- Seats are taken in the order of boarding. One left in the middle stays empty
  (None) until half of them are, then all move up. The last taken one is never
  empty, those beyond it all are.
- ``room == len(seats)``.
- No foreign code runs inside these functions: whoever makes a watcher leave holds a
  reference to it, and no object is made that could set off the garbage collector.

The operations of every start and stop, `board` and `leave`, are inline: see
roster_inline.pxd.
"""

import cython
from cython.cimports.everloop.queues.entry import ACTIVE, OWN, Entry

from everloop.errors import Error


@cython.final
@cython.cclass
class Roster:
    def __cinit__(self):
        self.seats = []

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def reserve(self) -> cython.int:
        """Have a seat for the next one that boards: the only step that can fail."""
        if self.taken == self.room:
            add_seats(self)
        return 0

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
                empty += place < self.taken
                continue
            watcher: Entry = self.seats[place]
            if watcher.seat != place + 1:
                raise Error(f"roster: {watcher!r} does not know its seat")
            if not watcher.flags and watcher.slot == 0:
                raise Error(f"roster: {watcher!r} is neither active nor pending")
        if self.room != len(self.seats):
            raise Error("roster: the count of seats is wrong")
        if empty != self.empty:
            raise Error("roster: the count of empty seats is wrong")
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def add_seats(roster: Roster) -> cython.int:
    """Make room. One by one: a new list could have the garbage collector run here."""
    more: cython.Py_ssize_t = 8 + roster.taken // 8
    while more:
        roster.seats.append(None)
        roster.room += 1
        more -= 1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def leave_gap(roster: Roster, seat: cython.Py_ssize_t) -> cython.int:
    """A seat in the middle has become empty, or the last one behind empty ones."""
    if seat < roster.taken:
        roster.empty += 1
        if roster.empty > 32 and roster.empty * 2 > roster.taken:
            move_up(roster)
        return 0
    roster.taken -= 1
    while roster.empty and roster.seats[roster.taken - 1] is None:
        roster.taken -= 1
        roster.empty -= 1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def move_up(roster: Roster) -> cython.int:
    """Close the gaps, keeping the order; in place, for the same reason."""
    seats: list = roster.seats
    place: cython.Py_ssize_t
    kept: cython.Py_ssize_t = 0
    for place in range(roster.taken):
        if seats[place] is None:
            continue
        watcher: Entry = seats[place]
        seats[place] = None
        seats[kept] = watcher
        kept += 1
        watcher.seat = cython.cast(cython.uint, kept)
    roster.taken = kept
    roster.empty = 0
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def is_shown(watcher: Entry) -> cython.bint:
    return watcher.flags & (ACTIVE | OWN) == ACTIVE
