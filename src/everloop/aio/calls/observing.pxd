from everloop.aio.calls.handle cimport Handle
from everloop.aio.calls.turn cimport Turn
from everloop.watcher cimport Watcher

cdef object handle_class   # asyncio.Handle

cdef class WatcherCall:
    cdef Turn loop
    cdef Watcher watcher
    cdef int revents
    cdef object failure      # an exception that is to end the loop

cdef bint runs_by_tool()
cdef int run_observed(Handle handle, object shown) except -1
cdef int call_observed(Turn loop, Watcher watcher, int revents) except -1
