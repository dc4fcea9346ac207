"""The flags that a loop is made with."""

import os

import cython
from cython.cimports.everloop.constants import (
    EVBACKEND_MASK,
    EVFLAG_FORKCHECK,
    EVFLAG_NOENV,
    EVFLAG_NOINOTIFY,
    EVFLAG_NOSIGMASK,
    EVFLAG_NOTIMERFD,
    EVFLAG_SIGNALFD,
)
from cython.cimports.everloop.engine.failures import warn
from cython.cimports.everloop.sys.process import getegid, geteuid, getgid, getuid

KNOWN_FLAGS = (
    EVBACKEND_MASK
    | EVFLAG_NOINOTIFY
    | EVFLAG_SIGNALFD
    | EVFLAG_NOSIGMASK
    | EVFLAG_NOTIMERFD
    | EVFLAG_NOENV
    | EVFLAG_FORKCHECK
)


@cython.cfunc
@cython.exceptval(-1, check=False)
def flags_to_use(flags: cython.int) -> cython.int:
    """The flags given, or those that LIBEV_FLAGS replaces them with."""
    if flags & ~cython.cast(cython.int, KNOWN_FLAGS):
        raise ValueError(f"flags must be made of EVFLAG_* and EVBACKEND_* bits, not {flags!r}")
    text = os.environ.get("LIBEV_FLAGS")
    if text is None or flags & EVFLAG_NOENV or getuid() != geteuid() or getgid() != getegid():
        return flags
    try:
        replaced: cython.int = int(text)
    except (ValueError, OverflowError):
        replaced = -1
    if replaced < 0 or replaced & ~cython.cast(cython.int, KNOWN_FLAGS):
        warn(
            f"LIBEV_FLAGS={text!r} in the environment is not a number of EVFLAG_* and "
            "EVBACKEND_* bits, and is ignored"
        )
        return flags
    return replaced
