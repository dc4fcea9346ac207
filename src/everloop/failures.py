"""What becomes of an exception that leaves a callback."""

import cython
from cython.cimports.cpython.exc import PyErr_WarnEx
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.constants import EVBREAK_ALL
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.sys.python import (
    PyErr_CheckSignals,
    PyErr_SetObject,
    PyErr_WriteUnraisable,
)
from cython.cimports.everloop.sys.signal import (
    SIG_BLOCK,
    SIG_SETMASK,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
    pthread_sigmask,
    sigdelset,
    sigfillset,
    sigset_t,
)
from cython.cimports.everloop.watcher import INTERNAL, Watcher


@cython.cfunc
@cython.exceptval(-1, check=False)
def callback_failed(loop: Loop, watcher: Watcher, callback: object) -> cython.int:
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
        if getattr(callback, "__err_fatal__", False):
            loop.breaking = EVBREAK_ALL
            raise
        report(loop, callback, error)
    except BaseException:
        loop.breaking = EVBREAK_ALL
        raise
    return 0


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
def report(loop: Loop, callback: object, error: object) -> cython.int:
    """Hand the exception to sys.unraisablehook.

    CPython swallows whatever is raised in the hook, so a Ctrl-C that came while
    it ran would be lost: signals are held back until it has returned.
    """
    held: sigset_t
    before: sigset_t
    sigfillset(cython.address(held))
    for fault in (SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP):
        sigdelset(cython.address(held), fault)
    pthread_sigmask(SIG_BLOCK, cython.address(held), cython.address(before))
    set_error(error)
    PyErr_WriteUnraisable(cython.cast(cython.pointer[PyObject], callback))
    pthread_sigmask(SIG_SETMASK, cython.address(before), cython.NULL)
    try:
        PyErr_CheckSignals()
    except BaseException:
        loop.breaking = EVBREAK_ALL
        raise
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def warn(message: str) -> cython.int:
    """Issue a RuntimeWarning to whoever called into everloop."""
    PyErr_WarnEx(RuntimeWarning, message.encode(), 1)
    return 0
