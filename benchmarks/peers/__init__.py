"""The event loops that are compared: one adapter a file, loaded by name when it is needed."""

from importlib import import_module

from benchmarks.peers.peer import Peer

SUBJECT = "everloop"
FLOOR = "floor"

_ADAPTERS = {
    SUBJECT: ("everloop", "Everloop"),
    "libev": ("libev", "Libev"),
    "gevent": ("gevent", "Gevent"),
    "uvloop": ("uvloop", "Uvloop"),
    "rloop": ("rloop", "Rloop"),
    "asyncio": ("asyncio", "Asyncio"),
    "epoll": ("epoll", "Epoll"),
    FLOOR: ("floor", "Floor"),
}

NAMES = tuple(_ADAPTERS)

# By stand-in, what it stands for, best first: one that can be loaded anywhere ends the list.
_STOOD_FOR = {"stand-in": ("libev", "epoll"), "loop-stand-in": ("uvloop", "asyncio")}

STAND_IN, LOOP_STAND_IN = _STOOD_FOR

# Those that have a whole asyncio loop, and those that can serve.
LOOPS = (SUBJECT, "uvloop", "rloop", "asyncio", LOOP_STAND_IN)
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


def missing(name: str) -> str | None:
    """Why the peer called `name` cannot take part, or None if it can."""
    try:
        load(name)
    except ImportError as error:
        return str(error)
    return None
