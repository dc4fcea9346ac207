"""ProtocolCalls: a transport's calls of its protocol.

Invariants: each call is made in the transport's context, or in a copy where that is
entered already; what a protocol raises closes its transport or is reported, and never
reaches the loop, but for SystemExit and KeyboardInterrupt.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.transports.protocol_calls import enter_loop_by, own_thread
from cython.cimports.everloop.aio.transports.tls import SSLCore, takes_buffer
from cython.cimports.everloop.engine.failures import propagate
from cython.cimports.everloop.sys.python import (
    Py_DECREF,
    PyContext_Enter,
    PyContext_Exit,
    PyErr_Clear,
    call_method,
)
from cython.cimports.everloop.sys.threads import Section


@cython.cclass
class ProtocolCalls:
    """The part of a transport that knows its protocol."""

    def get_protocol(self):
        """The protocol that is told what happens."""
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.protocol

    def set_protocol(self, protocol) -> None:
        """Tell another protocol from now on."""
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        self.protocol = protocol
        self.buffered = takes_buffer(protocol)
        self.tls = protocol if isinstance(protocol, SSLCore) else None

    @property
    def _loop(self):
        return self.loop

    @property
    def _protocol(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.protocol

    # Steps

    @cython.cfunc
    @cython.exceptval(check=False)
    def tell(
        self, method: str, argument: object, second: cython.pointer[PyObject] = cython.NULL
    ) -> cython.int:
        """Call protocol.method(argument) in its context; returns -1 with the exception set.

        second: another argument, or NULL.
        """
        context: object = enter(self.context)
        if context is None:
            return -1
        # Owned here: the method may replace it.
        protocol: object = self.protocol
        result: cython.pointer[PyObject] = call_method(
            cython.cast(cython.pointer[PyObject], protocol),
            cython.cast(cython.pointer[PyObject], method),
            cython.cast(cython.pointer[PyObject], argument),
            second,
        )
        left: cython.int = PyContext_Exit(context)
        if result == cython.NULL:
            return -1
        Py_DECREF(result)
        return left

    @cython.cfunc
    def ask(self, method: object, arguments: tuple) -> object:
        """method(*arguments) in the protocol's context."""
        context: object = enter(self.context)
        if context is None:
            return propagate()
        try:
            return method(*arguments)
        finally:
            PyContext_Exit(context)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_flow(self, method: str) -> cython.int:
        try:
            getattr(self.protocol, method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report(f"protocol.{method}() failed", error)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report(self, message: str, error: object) -> cython.int:
        """Tell the loop's exception handler of an exception, with what it concerns."""
        self.loop.call_exception_handler(
            {
                "message": message,
                "exception": error,
                "transport": self,
                "protocol": self.protocol,
            }
        )
        return 0


@cython.cfunc
def enter(context: object) -> object:
    """Enter a context, or a copy if it is entered already, by a loop within a callback.

    Returns the one to leave; None with the exception set if that can't be done.
    """
    if PyContext_Enter(context) == 0:
        return context
    PyErr_Clear()
    context = context.copy()
    return context if PyContext_Enter(context) == 0 else None
