"""The events that wait for their callbacks: one stack a priority.

Every event of every kind comes through here, and callbacks are called from
here only: that is what makes it safe for a callback to stop any watcher.

Invariants:
- A watcher has at most one entry; ``watcher.slot - 1`` is its index in the lane
  of its rank, and ``slot == 0`` means that it has none. Feeding it again adds
  bits to its entry.
- Entries borrow their watchers. The loop's roster owns each watcher that has
  an entry, and takes the entry back before it lets a watcher go.
- Within a lane the last one in is the first one out, as in libev.
- ``cursor`` is the highest lane that has entries, or -1.

The operations that every event goes through, `push` and `pop`, are inline: see
pending_inline.pxd.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.everloop.queues.entry import Entry

from everloop.errors import Error


@cython.final
@cython.cclass
class PendingQueue:
    def __cinit__(self):
        self.cursor = -1

    def __dealloc__(self):
        rank: cython.int
        for rank in range(LANES):
            PyMem_RawFree(self.lanes[rank].events)

    @cython.cfunc
    @cython.exceptval(check=False)
    def total(self) -> cython.uint:
        """How many entries there are, taken back ones included."""
        count: cython.uint = 0
        rank: cython.int
        for rank in range(LANES):
            count += self.lanes[rank].count
        return count

    @cython.cfunc
    @cython.exceptval(check=False)
    def take_back(self, watcher: Entry) -> cython.int:
        """Remove the watcher's entry; its revents, or 0 if there was none."""
        if watcher.slot == 0:
            return 0
        event: cython.pointer[PendingEvent] = cython.address(
            self.lanes[watcher.rank].events[watcher.slot - 1]
        )
        event.watcher = cython.NULL
        watcher.slot = 0
        return event.revents

    @cython.cfunc
    @cython.exceptval(check=False)
    def lower_cursor(self) -> cython.void:
        """Move the cursor down to the highest lane that has entries."""
        while self.cursor >= 0 and self.lanes[self.cursor].count == 0:
            self.cursor -= 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def turn_round(self, rank: cython.int, start: cython.uint, end: cython.uint) -> cython.void:
        """Reverse the order of a lane's entries from start up to end, which is not one of them."""
        while start + 1 < end:
            end -= 1
            self.exchange(rank, start, end)
            start += 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def exchange(self, rank: cython.int, one: cython.uint, other: cython.uint) -> cython.void:
        """Have two entries of a lane change places."""
        lane: cython.pointer[Lane] = cython.address(self.lanes[rank])
        event: PendingEvent = lane.events[one]
        put(lane, one, lane.events[other])
        put(lane, other, event)

    @cython.cfunc
    @cython.exceptval(check=False)
    def clear(self) -> cython.void:
        """Forget all entries; their watchers must still be alive."""
        rank: cython.int
        i: cython.uint
        for rank in range(LANES):
            for i in range(self.lanes[rank].count):
                if self.lanes[rank].events[i].watcher != cython.NULL:
                    cython.cast(Entry, self.lanes[rank].events[i].watcher).slot = 0
            self.lanes[rank].count = 0
        self.cursor = -1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify(self) -> cython.int:
        rank: cython.int
        i: cython.uint
        if self.cursor >= 0 and self.lanes[self.cursor].count == 0:
            raise Error("pending queue: the lane at the cursor is empty")
        for rank in range(LANES):
            if rank > self.cursor and self.lanes[rank].count:
                raise Error("pending queue: a lane above the cursor has events")
            for i in range(self.lanes[rank].count):
                if self.lanes[rank].events[i].watcher == cython.NULL:
                    continue
                watcher: Entry = cython.cast(Entry, self.lanes[rank].events[i].watcher)
                if watcher.slot != i + 1 or watcher.rank != rank:
                    raise Error(f"pending queue: {watcher!r} does not know its entry")
                if watcher.seat == 0 and watcher.loop is not None:
                    raise Error(f"pending queue: {watcher!r} is not owned by the loop")
        return 0


@cython.cfunc
@cython.exceptval(check=False)
def put(lane: cython.pointer[Lane], place: cython.uint, event: PendingEvent) -> cython.void:
    """Put an entry there, and have its watcher know."""
    lane.events[place] = event
    if event.watcher != cython.NULL:
        cython.cast(Entry, event.watcher).slot = place + 1


@cython.cfunc
@cython.exceptval(-1, check=False)
def grow(lane: cython.pointer[Lane]) -> cython.int:
    capacity: cython.uint = lane.capacity * 2 if lane.capacity else 16
    events = cython.cast(
        cython.pointer[PendingEvent],
        PyMem_RawRealloc(lane.events, capacity * cython.sizeof(PendingEvent)),
    )
    if events == cython.NULL:
        raise MemoryError("no memory for pending events")
    lane.events = events
    lane.capacity = capacity
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def reserve(queue: PendingQueue, rank: cython.int, count: cython.uint) -> cython.int:
    """Have room in a lane, so that the next pushes of so many events can't fail."""
    lane: cython.pointer[Lane] = cython.address(queue.lanes[rank])
    while lane.capacity - lane.count < count:
        grow(lane)
    return 0
