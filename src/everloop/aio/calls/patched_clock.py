"""PatchedClock: the time of a loop whose time() was replaced, as test libraries do."""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.clock import Clock, from_seconds, nanoseconds
from cython.cimports.everloop.engine.failures import set_error
from cython.cimports.everloop.sys.python import PyErr_SetInterrupt, PyErr_WriteUnraisable


@cython.final
@cython.cclass
class PatchedClock(Clock):
    """Monotonic time as a function tells it, in seconds; the wall clock is that of base.

    ready: whether the function works by now; an object that is being made may have no
    time yet.
    """

    def __init__(self, function, base: Clock, ready):
        self.function = function
        self.base = base
        self.latest = base.monotonic()
        self.ready = ready

    @cython.cfunc
    @cython.exceptval(check=False)
    def wall(self) -> nanoseconds:
        return self.base.wall()

    @cython.cfunc
    @cython.exceptval(check=False)
    def monotonic(self) -> nanoseconds:
        try:
            seconds: cython.double = self.function()
            self.latest = from_seconds(seconds)
            if cython.cast(cython.double, self.latest) == seconds * 1e9:
                # Up to the resolution that asyncio takes its clock to have: such times are
                # the sums of others, and timers must not miss theirs by a rounding error.
                self.latest += 1
            self.ready = True
        except KeyboardInterrupt:
            # Nothing can be raised from here: as if it came a moment later.
            PyErr_SetInterrupt()
        except BaseException as error:
            if not self.ready:
                return self.latest
            set_error(error)
            PyErr_WriteUnraisable(cython.cast(cython.pointer[PyObject], self.function))
        return self.latest
