# In debug mode: who else uses the loop while a thread runs it?
from everloop.aio.calls.turn cimport Turn

cdef inline int check_thread(Turn loop) except -1:
    """In debug mode: raises RuntimeError in a thread that does not run the loop."""
    if loop is not None and loop.debug_mode:
        loop._check_thread()
    return 0
