"""The order in which descriptors that are ready together are served: the kernel's.

A lane of the pending queue gives back the last one first. asyncio's programs see what
has happened in the order in which the kernel reports it; of what they wait for at one
descriptor, to read comes before to write.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo
from cython.cimports.everloop.constants import EV_READ
from cython.cimports.everloop.queues.pending import LANES, Lane, PendingEvent, PendingQueue
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
            put_readers_first(queue, rank, first, end)
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
def put_readers_first(
    queue: PendingQueue, rank: cython.int, start: cython.uint, end: cython.uint
) -> cython.void:
    """Of the entries of one descriptor, have what serves asyncio's reader come before its writer.

    There is one of each, as in asyncio. The last entry is the first to be served.
    """
    lane: cython.pointer[Lane] = cython.address(queue.lanes[rank])
    reader: cython.uint = end
    event: PendingEvent
    while start < end:
        event = lane.events[start]
        if event.watcher != cython.NULL and isinstance(
            cython.cast(Watcher, event.watcher), ServedIo
        ):
            if cython.cast(Io, event.watcher).extra == EV_READ:
                reader = start
            elif reader < start:
                queue.exchange(rank, reader, start)
                return
        start += 1


@cython.cfunc
@cython.exceptval(check=False)
def descriptor_at(lane: cython.pointer[Lane], place: cython.uint) -> cython.int:
    """The descriptor of the Io that has an entry there, or -1."""
    watcher: cython.pointer[PyObject] = lane.events[place].watcher
    if watcher == cython.NULL or not isinstance(cython.cast(Watcher, watcher), Io):
        return -1
    return cython.cast(Io, watcher).fd
