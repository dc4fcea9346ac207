"""Checks of arguments that C types alone would not make."""

import os

import cython
from cython.cimports.everloop.sys.python import (
    PyIndex_Check,
    PyLong_AsLongAndOverflow,
    PyUnicode_EncodeFSDefault,
)


@cython.cfunc
@cython.exceptval(-1)
def whole(name: str, value: object) -> cython.int:
    """The int that value is: TypeError for a float or the like, OverflowError beyond C's int."""
    if not PyIndex_Check(value):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    beyond: cython.int = 0
    number: cython.long = PyLong_AsLongAndOverflow(value, cython.address(beyond))
    if beyond or number != cython.cast(cython.int, number):
        # An int may have more digits than it can be shown with.
        raise OverflowError(f"{name} is out of range{'' if beyond else f': {number}'}")
    return cython.cast(cython.int, number)


@cython.cfunc
def path_of(path: object) -> tuple:
    """path as str or bytes, and the same as absolute bytes."""
    try:
        given = os.fspath(path)
    except TypeError:
        raise TypeError(
            f"path must be str, bytes or os.PathLike, not {type(path).__name__}"
        ) from None
    encoded: bytes = given if isinstance(given, bytes) else PyUnicode_EncodeFSDefault(given)
    if not encoded:
        raise ValueError("path must not be empty")
    if b"\0" in encoded:
        raise ValueError(f"path must not have a null character in it: {given!r}")
    if not encoded.startswith(b"/"):
        encoded = os.path.join(os.getcwdb(), encoded)
    return given, encoded
