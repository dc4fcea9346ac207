# The time of the pass, read when it is first needed: inline, since every start of a
# timer asks.
from everloop.loop cimport Loop

cdef inline int freshen(Loop loop) except -1:
    """Make sure that the loop's time is that of the current pass."""
    if loop.stale:
        loop.read_clocks()
    return 0
