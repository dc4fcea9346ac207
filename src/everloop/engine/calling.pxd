from cpython.object cimport PyObject
from everloop.clock cimport nanoseconds
from everloop.engine.holding cimport HoldingLoop
from everloop.engine.observing cimport ObservedLoop
from everloop.watcher cimport Watcher

cdef class CallingLoop(ObservedLoop):
    cdef Watcher wakeup
    cdef int last_revents        # of the latest callback
    cdef object last_number      # the same as a Python int
    cdef bint runs_coroutines    # those that callbacks return

    cdef int nest(self) except -1
    cdef void unnest(self) noexcept
    cdef int run_pending(self) except -1
    cdef int invoke_pending(self) except -1
    cdef int invoke_lanes(self, int lowest) except -1
    cdef int disown(self, PyObject* watcher) except -1
    cdef int call(self, Watcher watcher, int revents) except -1
    cdef int call_observed(self, Watcher watcher, int revents) except -1
    cdef int observed_call(self, Watcher watcher, int revents) except -1
    cdef int make_number(self, Watcher watcher, int revents) except -1
    cdef object stand_in(self)
    cdef int run_coroutine(self, object answer) except -1
    cdef bint told(self, Watcher watcher, object refusal) except -1
    cdef int serve(self, Watcher watcher, int revents) except -1
    cdef int serve_wakeup(self) except -1
    cdef int signals_arrived(self) except -1
    cdef int notice_fork(self) except -1
    cdef int hand_over_changes(self) except -1
    cdef nanoseconds until_due(self) except -1

cdef int retire(HoldingLoop loop, Watcher watcher) except -1
