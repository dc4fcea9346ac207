"""PatchedClock: the time of a loop whose time() was replaced, as test libraries do."""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.clock import Clock, from_seconds, nanoseconds
from cython.cimports.everloop.failures import set_error
from cython.cimports.everloop.sys.python import PyErr_SetInterrupt, PyErr_WriteUnraisable


@cython.final
@cython.cclass
class PatchedClock(Clock):
    """Monotonic time as a function tells it, in seconds; the wall clock is the system's."""

    def __init__(self, function, before: Clock):
        self.function = function
        self.before = before

    @cython.cfunc
    @cython.exceptval(check=False)
    def monotonic(self) -> nanoseconds:
        try:
            self.latest = from_seconds(self.function())
        except KeyboardInterrupt:
            # Nothing can be raised from here: as if it came a moment later.
            PyErr_SetInterrupt()
        except BaseException as error:
            set_error(error)
            PyErr_WriteUnraisable(cython.cast(cython.pointer[PyObject], self.function))
        return self.latest
