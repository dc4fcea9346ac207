# In debug mode: who else uses the loop while a thread runs it?
from cpython.object cimport PyObject
from everloop.aio.calls.turn cimport Turn

cdef inline int check_thread_of(PyObject* loop) except -1:
    """check_thread() for a Turn, or None, that the caller borrows: it costs no reference."""
    if loop != <PyObject*>None and (<Turn>loop).debug_mode:
        (<Turn>loop)._check_thread()
    return 0

cdef inline int check_thread(Turn loop) except -1:
    """In debug mode: raises RuntimeError in a thread that does not run the loop."""
    return check_thread_of(<PyObject*>loop)
