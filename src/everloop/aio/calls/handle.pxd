from everloop.aio.calls.turn cimport Turn
from everloop.watchers.timer cimport Timer

cdef enum:
    FEW_ARGUMENTS = 7  # up to this many are passed without making room on the heap
    RANK = 2           # of everything that asyncio calls: priority 0, the middle of five

cdef class Trace:
    """What debug mode keeps of a call."""
    cdef object made         # the traceback of where it was asked for, or None
    cdef str text            # the handle's repr from before cancel(), or None

cdef class Handle:
    cdef object __weakref__
    cdef Handle next         # in the ready queue
    cdef Turn loop
    cdef object callback     # None once cancelled
    cdef tuple args
    cdef object context
    cdef bint is_cancelled
    cdef unsigned char threadsafe      # other threads may know of it
    cdef unsigned char context_hidden  # from the garbage collector: it is in the queue
    cdef unsigned long runner  # the thread that makes the call now, or 0; of a threadsafe one
    cdef object over         # an Event for threads that wait for the end of the call, or None
    cdef Trace trace         # in debug mode

cdef class TimerHandle(Timer):
    cdef Handle handle       # what is to be done
    cdef double moment       # in the loop's time(), seconds
    cdef object given        # the same as call_at() got it, if that was no float

cdef Handle new_handle(Turn loop, object callback, tuple args, object context)
cdef TimerHandle new_timer_handle(Turn loop, double when, object callback, tuple args, object context)
cdef int run_handle(Handle handle) except -1
cdef int run_timer(TimerHandle timer) except -1
cdef int call_in_context(object context, object callback, tuple args) noexcept
cdef int handle_failed(Handle handle, object shown) except -1
