from everloop.aio.calls.handle cimport Handle, TimerHandle
from everloop.aio.calls.turn cimport Turn

cdef class Scheduling(Turn):
    cdef public object _thread_id
    cdef public object _task_factory

    cdef Handle soon(self, object callback, tuple args, object context)
    cdef TimerHandle at(self, double when, object callback, tuple args, object context)
    cdef double seconds(self) except? -1
    cdef int raise_closed(self) except -1
    cdef int check_call(self, object callback, str method) except -1
