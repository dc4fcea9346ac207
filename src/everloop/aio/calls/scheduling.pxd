from everloop.aio.calls.handle cimport Handle, TimerHandle
from everloop.aio.calls.turn cimport Turn

cdef class Scheduling(Turn):
    cdef unsigned long runner    # the thread that runs the loop as asyncio's, or 0
    cdef object task_factory
    cdef public bint _later_by_call_at  # a subclass has a call_at() of its own

    cdef bint may_queue(self, Handle handle) noexcept
    cdef Handle soon(self, object callback, tuple args, object context)
    cdef TimerHandle at(self, double when, object callback, tuple args, object context)
    cdef double seconds(self) except? -1
    cdef int raise_closed(self) except -1
    cdef int check_call(self, object callback, str method) except -1
