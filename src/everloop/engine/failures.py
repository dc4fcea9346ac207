"""What becomes of an exception that leaves a callback."""

import os
import sys

import cython
from cython.cimports.cpython.exc import PyErr_WarnEx
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.constants import EVBREAK_ALL
from cython.cimports.everloop.engine.holding import HoldingLoop
from cython.cimports.everloop.queues.entry import INTERNAL
from cython.cimports.everloop.sys.python import PyErr_SetObject, PyErr_WriteUnraisable
from cython.cimports.everloop.watcher import Watcher


@cython.cfunc
@cython.exceptval(-1, check=False)
def callback_failed(loop: HoldingLoop, watcher: Watcher, callback: object) -> cython.int:
    """Report the exception that is set, or stop the loop and pass it on.

    To be called with the exception still set. Returns 0 if it was reported. What
    is pending stays so in either case.
    """
    try:
        propagate()
    except Exception as error:
        if loop.debug or loop._callback is not None or watcher.flags & INTERNAL:
            loop.breaking = EVBREAK_ALL
            raise
        if hasattr(callback, "__err_fatal__"):
            loop.breaking = EVBREAK_ALL
            raise
        report(loop, callback, error)
    except BaseException:
        loop.breaking = EVBREAK_ALL
        raise
    return 0


@cython.cfunc
def system_error(number: cython.int) -> object:
    """The OSError, of whichever kind, that stands for an errno."""
    return OSError(number, os.strerror(number))


@cython.cfunc
@cython.exceptval(-1, check=False)
def propagate() -> cython.int:
    """Make the exception that is set one that ``try`` can catch."""
    return -1


@cython.cfunc
@cython.exceptval(check=False)
def set_error(error: object) -> cython.void:
    """Set the exception, for a C function to find."""
    kind: object = type(error)
    PyErr_SetObject(
        cython.cast(cython.pointer[PyObject], kind),
        cython.cast(cython.pointer[PyObject], error),
    )


@cython.cfunc
@cython.exceptval(-1, check=False)
def report(loop: HoldingLoop, callback: object, error: object) -> cython.int:
    """Hand the exception to sys.unraisablehook.

    Not by PyErr_WriteUnraisable(), which swallows what is raised meanwhile: a Ctrl-C
    that comes while the hook runs would be lost. So does the default hook, whose
    work is therefore done here.
    """
    hook: object = None
    traceback: object = error.__traceback__
    try:
        if traceback is not None:
            traceback = traceback.tb_next  # without this module
        hook = sys.unraisablehook
        if hook is sys.__unraisablehook__:
            print_report(callback, error.with_traceback(traceback))
        else:
            hook(report_type()((type(error), error, traceback, None, callback)))
    except Exception as failure:
        set_error(failure)
        PyErr_WriteUnraisable(cython.cast(cython.pointer[PyObject], hook))
    except BaseException:
        loop.breaking = EVBREAK_ALL
        raise
    return 0


@cython.cfunc
def report_type() -> object:
    """The type of what sys.unraisablehook is called with, which has no public name."""
    for kind in tuple.__subclasses__():
        if kind.__name__ == "UnraisableHookArgs":
            return kind
    raise RuntimeError("this Python has no UnraisableHookArgs")


@cython.cfunc
@cython.exceptval(-1, check=False)
def print_report(callback: object, error: object) -> cython.int:
    """What the default hook prints."""
    if sys.stderr is None:
        return 0
    import traceback

    lines: list = traceback.format_exception(error)
    sys.stderr.write(f"Exception ignored in: {callback!r}\n{''.join(lines)}")
    sys.stderr.flush()
    return 0


@cython.cfunc
def describe(watcher: Watcher) -> str:
    """The watcher's repr, or less if that fails."""
    try:
        return repr(watcher)
    except Exception as error:
        return f"<{type(watcher).__name__}, whose repr raises {type(error).__name__}>"


@cython.cfunc
@cython.exceptval(-1, check=False)
def warn(message: str) -> cython.int:
    """Issue a RuntimeWarning to whoever called into everloop."""
    PyErr_WarnEx(RuntimeWarning, message.encode(), 1)
    return 0
