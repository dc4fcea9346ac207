# The making of watchers by their loop: inline for the kinds that are made most.
from everloop.constants cimport EV_MINPRI
from everloop.engine.calling cimport CallingLoop
from everloop.engine.holding cimport OPEN
from everloop.queues cimport entry  # whose header has what is not there yet let go of
from everloop.sys.compiler cimport likely
from everloop.sys.python cimport (
    CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, PyCodeObject, PyFunction_Check,
    PyFunction_GET_CODE
)
from everloop.watcher cimport USUAL_PRIORITY, Watcher, check_given

cdef extern from *:
    void clear_memory "everloop_clear_memory"(Watcher made) noexcept

cdef inline void fill(Watcher self, CallingLoop loop, object callback, object data, int rank) noexcept:
    """What every watcher has, in newly allocated memory."""
    clear_memory(self)
    self.rank = <unsigned char>rank
    self.loop = loop
    self._callback = callback
    self._data = data

cdef inline int rank_given(CallingLoop loop, object callback, object priority) except -1:
    """check_given(), at once for a plain function and the usual priority."""
    if likely(
        loop.state == OPEN and priority is USUAL_PRIORITY and PyFunction_Check(callback)
        and not (<PyCodeObject*>PyFunction_GET_CODE(callback)).co_flags
        & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)
    ):
        return -EV_MINPRI
    return check_given(loop, callback, priority)
