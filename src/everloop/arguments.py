"""Checks of arguments that C types alone would not make."""

import cython
from cython.cimports.everloop.sys.python import PyIndex_Check


@cython.cfunc
@cython.exceptval(-1)
def whole(name: str, value: object) -> cython.int:
    """The int that value is: TypeError for a float or the like, OverflowError beyond C's int."""
    if not PyIndex_Check(value):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    number: cython.longlong = value
    if number != cython.cast(cython.int, number):
        raise OverflowError(f"{name} is out of range: {value!r}")
    return cython.cast(cython.int, number)


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_loop_callback(callback: object) -> cython.int:
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
    return 0
