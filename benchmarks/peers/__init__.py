"""The event loops that are compared: one adapter a file, loaded by name when it is needed."""

from importlib import import_module

from benchmarks.peers.peer import Peer

SUBJECT = "everloop"
FLOOR = "floor"
STAND_IN = "stand-in"

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

# What a stand-in stands for, best first: one that can be loaded anywhere ends the list.
STOOD_FOR = ("libev", "epoll")


def load(name: str) -> type[Peer]:
    """The adapter called `name`; raises ImportError if its event loop is not there."""
    if name == STAND_IN:
        return load(stood_for())
    module, adapter = _ADAPTERS[name]
    return getattr(import_module(f"benchmarks.peers.{module}"), adapter)


def stood_for() -> str:
    """The peer that the stand-in of the self-check is."""
    return next(name for name in STOOD_FOR if missing(name) is None)


def missing(name: str) -> str | None:
    """Why the peer called `name` cannot take part, or None if it can."""
    try:
        load(name)
    except ImportError as error:
        return str(error)
    return None
