"""The event loops that are compared: one adapter a file, loaded by name when it is needed."""

import os
import sys
from importlib import import_module

from benchmarks.peers.peer import Peer

SUBJECT = "everloop"
BEFORE = "before"
FLOOR = "floor"

_ADAPTERS = {
    SUBJECT: ("everloop", "Everloop"),
    BEFORE: ("everloop", "Everloop"),
    "libev": ("libev", "Libev"),
    "gevent": ("gevent", "Gevent"),
    "uvloop": ("uvloop", "Uvloop"),
    "rloop": ("rloop", "Rloop"),
    "asyncio": ("asyncio", "Asyncio"),
    "epoll": ("epoll", "Epoll"),
    FLOOR: ("floor", "Floor"),
}

NAMES = tuple(_ADAPTERS)

# The interpreter for which another build of everloop is installed: that is the peer BEFORE.
_OTHER_PYTHON = "EVERLOOP_BEFORE"

# By stand-in, what it stands for, best first: one that can be loaded anywhere ends the list.
_STOOD_FOR = {"stand-in": ("libev", "epoll"), "loop-stand-in": ("uvloop", "asyncio")}

STAND_IN, LOOP_STAND_IN = _STOOD_FOR

# Those that have a whole asyncio loop, and those that can serve.
LOOPS = (SUBJECT, BEFORE, "uvloop", "rloop", "asyncio", LOOP_STAND_IN)
SERVERS = (*LOOPS, FLOOR)


def load(name: str) -> type[Peer]:
    """The adapter called `name`; raises ImportError if its event loop is not there."""
    if name in _STOOD_FOR:
        return load(stood_for(name))
    module, adapter = _ADAPTERS[name]
    return getattr(import_module(f"benchmarks.peers.{module}"), adapter)


def stood_for(stand_in: str) -> str:
    """The peer that a stand-in of the self-check is."""
    return next(name for name in _STOOD_FOR[stand_in] if missing(name) is None)


def interpreter(name: str) -> str:
    """The Python that measures the peer called `name`."""
    return os.environ[_OTHER_PYTHON] if name == BEFORE else sys.executable


def missing(name: str) -> str | None:
    """Why the peer called `name` cannot take part, or None if it can."""
    if name == BEFORE and _OTHER_PYTHON not in os.environ:
        return f"{_OTHER_PYTHON} does not name a Python with another build of everloop"
    try:
        load(name)
    except ImportError as error:
        return str(error)
    return None
