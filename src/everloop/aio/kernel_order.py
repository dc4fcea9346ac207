"""The order in which descriptors that are ready together are served: the kernel's.

A lane of the pending queue gives back the last one first. asyncio's programs see what
has happened in the order in which the kernel reports it.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.queues.pending import LANES, Lane, PendingQueue
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.io import Io


@cython.cfunc
@cython.exceptval(check=False)
def put_in_order(queue: PendingQueue, rank: cython.int, start: cython.uint) -> cython.void:
    """Turn round what was reported last: the entries from start on.

    The watchers of one descriptor are linked in reverse, so those are left as they are.
    """
    lane: cython.pointer[Lane] = cython.address(queue.lanes[rank])
    queue.turn_round(rank, start, lane.count)
    first: cython.uint = start
    while first < lane.count:
        end: cython.uint = first + 1
        fd: cython.int = descriptor_at(lane, first)
        while fd >= 0 and end < lane.count and descriptor_at(lane, end) == fd:
            end += 1
        if end > first + 1:
            queue.turn_round(rank, first, end)
        first = end


@cython.cfunc
def pending_descriptors(queue: PendingQueue) -> list:
    """Pairs: each descriptor for which something is pending, and the events."""
    rank: cython.int
    place: cython.uint
    found: list = []
    for rank in range(LANES):
        for place in range(queue.lanes[rank].count):
            fd: cython.int = descriptor_at(cython.address(queue.lanes[rank]), place)
            if fd >= 0:
                found.append((fd, queue.lanes[rank].events[place].revents))
    return found


@cython.cfunc
@cython.exceptval(check=False)
def descriptor_at(lane: cython.pointer[Lane], place: cython.uint) -> cython.int:
    """The descriptor of the Io that has an entry there, or -1."""
    watcher: cython.pointer[PyObject] = lane.events[place].watcher
    if watcher == cython.NULL or not isinstance(cython.cast(Watcher, watcher), Io):
        return -1
    return cython.cast(Io, watcher).fd
