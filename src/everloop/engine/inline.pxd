# What every start of a watcher, or of a timer, asks: inline.
from cpython.list cimport PyList_GET_SIZE
from everloop.engine.holding cimport OPEN, HoldingLoop
from everloop.engine.timed cimport TimedLoop

cdef inline bint unable(HoldingLoop loop) noexcept:
    """Whether make_able() is to be called before a watcher of the loop can be started."""
    return (
        loop is None
        or loop.state != OPEN
        or loop.waker.fd < 0
        or loop.roster.taken == PyList_GET_SIZE(loop.roster.seats)
    )

cdef inline int freshen(TimedLoop loop) except -1:
    """Make sure that the loop's time is that of the current pass."""
    if loop.stale:
        loop.read_clocks()
    return 0
