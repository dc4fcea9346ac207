from cpython.object cimport PyObject
from everloop.aio.calls.own_thread cimport check_thread_of
from everloop.aio.transports.carrying cimport Carrying
from everloop.aio.transports.tls cimport SSLCore
from everloop.sys.threads cimport enter_nothing, enter_section

cdef class ProtocolCalls:
    cdef object __weakref__
    cdef dict __dict__           # for tests that put something in a method's place
    cdef Carrying loop
    cdef object protocol         # None once connection_lost() has been called
    cdef SSLCore tls             # the same, if it is of that kind, or None
    cdef object context
    cdef bint buffered           # the protocol is a BufferedProtocol

    cdef int tell(self, str method, object argument, PyObject* second=*) noexcept
    cdef object ask(self, object method, tuple arguments)
    cdef int tell_flow(self, str method) except -1
    cdef int report(self, str message, object error) except -1

cdef object enter(object context)

cdef inline void enter_loop_by(void* section, ProtocolCalls transport) noexcept:
    """What enter_loop_of() does, for a transport."""
    if transport.loop is None:
        enter_nothing(section)
    else:
        enter_section(section, <PyObject*>transport.loop.gate)

cdef inline int own_thread(ProtocolCalls transport) except -1:
    """In debug mode: raises RuntimeError in a thread that does not run the transport's loop."""
    return check_thread_of(<PyObject*>transport.loop)
