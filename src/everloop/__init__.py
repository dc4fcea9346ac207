"""An event loop for Python: libev's watchers, in Python compiled with Cython."""

try:
    import everloop._compiled as _compiled

    # First, as modules that need each other are imported in the order that it asks for.
    from everloop.loop import Loop
except ImportError as error:
    from everloop.unusable import explained, is_about_interpreters

    if "_compiled" in globals() and not is_about_interpreters(error):
        raise
    raise explained(error, __file__) from error

# isort: split
from everloop.backends.registry import (
    embeddable_backends,
    recommended_backends,
    supported_backends,
)
from everloop.clock import Clock, ManualClock, sleep, time
from everloop.constants import *  # noqa: F403
from everloop.default import default_loop
from everloop.errors import Error, fatal
from everloop.process.signals import feed_signal
from everloop.versions import __version__, abi_version, version
from everloop.watcher import Watcher
from everloop.watchers.async_ import Async
from everloop.watchers.check import Check
from everloop.watchers.child import Child
from everloop.watchers.embed import Embed
from everloop.watchers.fork import Fork
from everloop.watchers.idle import Idle
from everloop.watchers.io import Io
from everloop.watchers.periodic import Periodic
from everloop.watchers.prepare import Prepare
from everloop.watchers.scheduler import Scheduler
from everloop.watchers.signal import Signal
from everloop.watchers.stat import Stat
from everloop.watchers.timer import Timer
from everloop.watchers.tree import Tree

# What programs need not load that do without: asyncio takes ten times as long as the rest.
_LATER = {
    "EventLoop": "everloop.aio.event_loop",
    "TreeChange": "everloop.watchers.inodes.changes",
    "install": "everloop.aio.event_loop",
    "monitor": "everloop.monitoring.monitor",
    "new_event_loop": "everloop.aio.event_loop",
    "run": "everloop.aio.event_loop",
    "watchdog": "everloop.monitoring.watchdog",
}

__all__ = [  # noqa: F405
    "Async",
    "Check",
    "Child",
    "Clock",
    "Embed",
    "Error",
    "EventLoop",
    "Fork",
    "Idle",
    "Io",
    "Loop",
    "ManualClock",
    "Periodic",
    "Prepare",
    "Scheduler",
    "Signal",
    "Stat",
    "Timer",
    "Tree",
    "TreeChange",
    "Watcher",
    "abi_version",
    "default_loop",
    "embeddable_backends",
    "fatal",
    "feed_signal",
    "install",
    "monitor",
    "new_event_loop",
    "recommended_backends",
    "run",
    "sleep",
    "supported_backends",
    "time",
    "version",
    "watchdog",
    *(name for name in globals() if name.startswith("EV")),
]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
