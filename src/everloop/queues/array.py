"""The active watchers of a kind that is served all at once: Prepare, Check, Idle ...

Invariants:
- ``watchers[watcher.position]`` is the watcher itself.
- The last one takes the place of one that goes, as in libev, on which the order
  among equals depends.
- The array borrows its watchers, which are active and so owned by the roster.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.queues.entry import Entry
from cython.cimports.everloop.queues.pending import PendingQueue
from cython.cimports.everloop.queues.pending_inline import push

from everloop.errors import Error


@cython.final
@cython.cclass
class WatcherArray:
    def __dealloc__(self):
        PyMem_RawFree(self.watchers)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def add(self, watcher: Entry) -> cython.int:
        if self.count == self.capacity:
            grow(self)
        self.watchers[self.count] = cython.cast(cython.pointer[PyObject], watcher)
        watcher.position = self.count
        self.count += 1
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def remove(self, watcher: Entry) -> cython.void:
        self.count -= 1
        self.watchers[watcher.position] = self.watchers[self.count]
        cython.cast(Entry, self.watchers[watcher.position]).position = watcher.position

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def feed_all(self, pending: PendingQueue, revents: cython.int) -> cython.int:
        i: cython.uint
        for i in range(self.count):
            push(pending, cython.cast(Entry, self.watchers[i]), revents)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify(self) -> cython.int:
        i: cython.uint
        for i in range(self.count):
            watcher: Entry = cython.cast(Entry, self.watchers[i])
            if watcher.position != i:
                raise Error(f"watcher array: {watcher!r} does not know its place")
            if watcher.seat == 0:
                raise Error(f"watcher array: {watcher!r} is not owned by the loop")
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def grow(array: WatcherArray) -> cython.int:
    capacity: cython.uint = array.capacity * 2 if array.capacity else 4
    watchers = cython.cast(
        cython.pointer[cython.pointer[PyObject]],
        PyMem_RawRealloc(array.watchers, capacity * cython.sizeof(cython.pointer[PyObject])),
    )
    if watchers == cython.NULL:
        raise MemoryError("no memory for watchers")
    array.watchers = watchers
    array.capacity = capacity
    return 0
