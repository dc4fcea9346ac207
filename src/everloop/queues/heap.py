"""The times at which watchers are due: a heap with four children a node.

Invariants:
- No node is due before its parent. Nodes hold the time themselves, so that
  comparing does not touch the watchers.
- ``nodes[watcher.position].watcher is watcher`` for each watcher in the heap.
- Nodes borrow their watchers, which are active and so owned by the roster.
- Among equal times the order is the one that libev's heap gives, which ported
  programs may have come to rely on.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.everloop.clock import FOREVER, nanoseconds
from cython.cimports.everloop.queues.entry import Entry
from cython.cimports.everloop.queues.heap_inline import insert, put, sift_up

from everloop.errors import Error


@cython.final
@cython.cclass
class Heap:
    def __dealloc__(self):
        PyMem_RawFree(self.nodes)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def add(self, watcher: Entry, at: nanoseconds) -> cython.int:
        if self.count == self.capacity:
            grow(self)
        self.put_back(watcher, at)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def put_back(self, watcher: Entry, at: nanoseconds) -> cython.void:
        """As add, for a watcher whose node was taken and whose room is still there."""
        insert(self, watcher, at)

    @cython.cfunc
    @cython.exceptval(check=False)
    def remove(self, watcher: Entry) -> cython.void:
        place: cython.uint = watcher.position
        self.count -= 1
        if place < self.count:
            settle(self.nodes, self.count, place, self.nodes[self.count])

    @cython.cfunc
    @cython.exceptval(check=False)
    def move(self, watcher: Entry, at: nanoseconds) -> cython.void:
        """Give a watcher in the heap another time."""
        node: HeapNode = self.nodes[watcher.position]
        node.at = at
        settle(self.nodes, self.count, watcher.position, node)

    @cython.cfunc
    @cython.exceptval(check=False)
    def delay(self, delta: nanoseconds) -> cython.void:
        """Move all times by delta, which leaves their order as it is."""
        place: cython.uint
        for place in range(self.count):
            if self.nodes[place].at < FOREVER - delta:
                self.nodes[place].at += delta

    @cython.cfunc
    @cython.exceptval(check=False)
    def rebuild(self) -> cython.void:
        """Restore the order after times were changed in place."""
        place: cython.uint = self.count
        while place:
            place -= 1
            sift_down(self.nodes, self.count, place, self.nodes[place])

    @cython.cfunc
    @cython.exceptval(check=False)
    def count_due(self, now: nanoseconds, limit: cython.uint) -> cython.uint:
        """How many are due at now, or about limit if there are more."""
        return due_below(self.nodes, self.count, 0, now, limit)

    @cython.cfunc
    @cython.exceptval(check=False)
    def copy_due(self, now: nanoseconds, due: cython.pointer[HeapNode]) -> cython.void:
        """Copy all nodes that are due to due, which has room for them, in no order."""
        copied: cython.uint = 0
        place: cython.uint
        for place in range(self.count):
            if self.nodes[place].at <= now:
                due[copied] = self.nodes[place]
                copied += 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def remove_due(self, now: nanoseconds) -> cython.void:
        """Remove all nodes that are due.

        For when many are at once: one pass over the heap, where removing them one by one
        would rearrange it each time.
        """
        kept: cython.uint = 0
        place: cython.uint
        for place in range(self.count):
            if self.nodes[place].at > now:
                self.nodes[kept] = self.nodes[place]
                kept += 1
        self.count = kept
        self.rebuild()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify(self) -> cython.int:
        place: cython.uint
        for place in range(self.count):
            watcher: Entry = cython.cast(Entry, self.nodes[place].watcher)
            if watcher.position != place:
                raise Error(f"heap: {watcher!r} does not know its node")
            if watcher.seat == 0:
                raise Error(f"heap: {watcher!r} is not owned by the loop")
            if place and self.nodes[(place - 1) // 4].at > self.nodes[place].at:
                raise Error(f"heap: {watcher!r} is due before its parent")
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def grow(heap: Heap) -> cython.int:
    capacity: cython.uint = heap.capacity + heap.capacity // 2 + 16
    nodes = cython.cast(
        cython.pointer[HeapNode],
        PyMem_RawRealloc(heap.nodes, capacity * cython.sizeof(HeapNode)),
    )
    if nodes == cython.NULL:
        raise MemoryError("no memory for timers")
    heap.nodes = nodes
    heap.capacity = capacity
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def sift_down(
    nodes: cython.pointer[HeapNode], count: cython.uint, place: cython.uint, node: HeapNode
) -> cython.void:
    """Put node at place or below, where none of its children is due before it."""
    best: cython.size_t
    child: cython.size_t
    hole: cython.size_t = place
    while hole * 4 + 4 < count:
        best = hole * 4 + 1
        best += earliest(cython.address(nodes[best]))
        if node.at <= nodes[best].at:
            put(nodes, hole, node)
            return
        put(nodes, hole, nodes[best])
        hole = best
    best = hole * 4 + 1
    if best < count:
        for child in range(best + 1, count):
            if nodes[child].at < nodes[best].at:
                best = child
        if nodes[best].at < node.at:
            put(nodes, hole, nodes[best])
            hole = best
    put(nodes, hole, node)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def earliest(four: cython.pointer[HeapNode]) -> cython.size_t:
    """Which of four nodes is due first; the foremost of equals.

    That can't be foreseen, nor could a jump: so there is none.
    """
    low: cython.size_t = four[1].at < four[0].at
    high: cython.size_t = 2 + (four[3].at < four[2].at)
    is_high: cython.size_t = four[high].at < four[low].at
    return low ^ ((low ^ high) & (0 - is_high))


@cython.cfunc
@cython.exceptval(check=False)
def settle(
    nodes: cython.pointer[HeapNode], count: cython.uint, place: cython.uint, node: HeapNode
) -> cython.void:
    """Put node at place, above or below, whichever its time asks for."""
    if place and node.at <= nodes[(place - 1) // 4].at:
        sift_up(nodes, place, node)
    else:
        sift_down(nodes, count, place, node)


@cython.cfunc
@cython.exceptval(check=False)
def due_below(
    nodes: cython.pointer[HeapNode],
    count: cython.uint,
    place: cython.uint,
    now: nanoseconds,
    limit: cython.uint,
) -> cython.uint:
    """How many nodes are due at place and below: only children of due ones can be."""
    if place >= count or nodes[place].at > now:
        return 0
    due: cython.uint = 1
    child: cython.uint
    for child in range(place * 4 + 1, place * 4 + 5):
        if due >= limit:
            break
        due += due_below(nodes, count, child, now, limit - due)
    return due
