# What every start of a watcher, or of a timer, asks: inline.
from cpython.object cimport PyObject
from everloop.engine.holding cimport OPEN, HoldingLoop
from everloop.engine.kernel_side cimport KernelLoop
from everloop.engine.timed cimport TimedLoop
from everloop.queues.roster cimport Roster
from everloop.queues.roster_inline cimport full
from everloop.sys.threads cimport (
    enter_nothing, enter_section, inside_section, let_others_in, section_wanted
)
from everloop.watcher cimport Watcher

cdef inline void enter_loop(void* section, HoldingLoop loop) noexcept:
    """What follows in this function changes the loop: no other thread is to do so meanwhile."""
    if loop is None:
        enter_nothing(section)
    else:
        enter_section(section, <PyObject*>loop.gate)

cdef inline void enter_loop_of(void* section, Watcher watcher) noexcept:
    """The same for the loop of a watcher, which may have none yet."""
    if watcher.loop is None:
        enter_nothing(section)
    else:
        enter_section(section, <PyObject*>watcher.loop.gate)

cdef inline bint in_loop(HoldingLoop loop) noexcept:
    """Whether this thread may change the loop; with the GIL each may."""
    return inside_section(<PyObject*>loop.gate)

cdef inline void let_in(HoldingLoop loop) noexcept:
    """Between callbacks: let threads in that wait to change the loop, as the GIL does by itself."""
    if section_wanted(<PyObject*>loop.gate):
        let_others_in()

cdef inline int own_thread(KernelLoop loop, str call) except -1:
    """In debug mode: raises Error if another thread runs the loop."""
    if loop.debugging:
        loop.check_thread(call)
    return 0

cdef inline bint unable(HoldingLoop loop) noexcept:
    """Whether make_able() is to be called before a watcher of the loop can be started."""
    cdef PyObject* roster
    if loop is None or loop.state != OPEN or loop.waker.fd < 0:
        return True
    roster = <PyObject*>loop.roster
    return full(<Roster>roster)

cdef inline int freshen(TimedLoop loop) except -1:
    """Make sure that the loop's time is that of the current pass."""
    if loop.stale:
        loop.read_clocks()
    return 0
