"""Sorts heap nodes by time: for the many timers that expire at once after a delay.

A radix sort over the times' distance from the earliest one, from the lowest
digits up: it needs a pass for every 11 bits (two passes sort what expires within
four milliseconds), where comparing a million nodes would take twenty. Equal times
keep their order.
"""

import cython
from cython.cimports.everloop.clock import nanoseconds
from cython.cimports.everloop.queues.heap import HeapNode
from cython.cimports.libc.string import memset


@cython.cfunc
@cython.exceptval(check=False)
def sort_by_time(
    nodes: cython.pointer[HeapNode], spare: cython.pointer[HeapNode], count: cython.uint
) -> cython.pointer[HeapNode]:
    """Sort nodes, with the help of spare, which has room for as many.

    Returns whichever of the two then holds them in order.
    """
    earliest: nanoseconds = nodes[0].at
    latest: nanoseconds = nodes[0].at
    sorted_already: cython.bint = True
    i: cython.uint
    for i in range(1, count):
        if nodes[i].at < nodes[i - 1].at:
            sorted_already = False
        earliest = min(earliest, nodes[i].at)
        latest = max(latest, nodes[i].at)
    shift: cython.int = 0
    while not sorted_already and (latest - earliest) >> shift:
        distribute(nodes, spare, count, earliest, shift)
        nodes, spare = spare, nodes
        shift += 11
    return nodes


@cython.cfunc
@cython.exceptval(check=False)
def distribute(
    source: cython.pointer[HeapNode],
    target: cython.pointer[HeapNode],
    count: cython.uint,
    earliest: nanoseconds,
    shift: cython.int,
) -> cython.void:
    """Copy source to target, ordered by the 11 bits of their distance at shift."""
    place: cython.uint[2049]
    digit: cython.int
    i: cython.uint
    memset(place, 0, cython.sizeof(place))
    for i in range(count):
        place[(((source[i].at - earliest) >> shift) & 2047) + 1] += 1
    for digit in range(2047):
        place[digit + 1] += place[digit]
    for i in range(count):
        digit = ((source[i].at - earliest) >> shift) & 2047
        target[place[digit]] = source[i]
        place[digit] += 1
