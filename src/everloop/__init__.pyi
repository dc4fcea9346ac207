import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias, TypeVar

from _typeshed import FileDescriptorLike, StrOrBytesPath

from everloop.clock import Clock as Clock
from everloop.clock import ManualClock as ManualClock
from everloop.clock import sleep as sleep
from everloop.clock import time as time
from everloop.constants import *
from everloop.monitoring.monitor import Monitor
from everloop.monitoring.watchdog import SlowCallback, Watchdog
from everloop.statistics import Statistics

_T = TypeVar("_T")
_W = TypeVar("_W")
_C = TypeVar("_C", bound=Callable[..., object])

# Called with the watcher and the bits of what happened; the result is ignored.
_Callback: TypeAlias = Callable[[_W, int], object]
# Called with the watcher and the time now; returns the time to fire at.
_Reschedule: TypeAlias = Callable[[_W, float], float]

__all__ = [
    "EVBACKEND_ALL",
    "EVBACKEND_DEVPOLL",
    "EVBACKEND_EPOLL",
    "EVBACKEND_IOURING",
    "EVBACKEND_KQUEUE",
    "EVBACKEND_LINUXAIO",
    "EVBACKEND_MASK",
    "EVBACKEND_POLL",
    "EVBACKEND_PORT",
    "EVBACKEND_SELECT",
    "EVBREAK_ALL",
    "EVBREAK_CANCEL",
    "EVBREAK_ONE",
    "EVFLAG_AUTO",
    "EVFLAG_FORKCHECK",
    "EVFLAG_NOENV",
    "EVFLAG_NOINOTIFY",
    "EVFLAG_NOSIGMASK",
    "EVFLAG_NOTIMERFD",
    "EVFLAG_SIGNALFD",
    "EVLOOP_NONBLOCK",
    "EVLOOP_ONESHOT",
    "EVRUN_NOWAIT",
    "EVRUN_ONCE",
    "EVUNLOOP_ALL",
    "EVUNLOOP_CANCEL",
    "EVUNLOOP_ONE",
    "EV_ASYNC",
    "EV_CHECK",
    "EV_CHILD",
    "EV_CLEANUP",
    "EV_CUSTOM",
    "EV_EMBED",
    "EV_ERROR",
    "EV_FORK",
    "EV_IDLE",
    "EV_IO",
    "EV_MAXPRI",
    "EV_MINPRI",
    "EV_NONE",
    "EV_PERIODIC",
    "EV_PREPARE",
    "EV_READ",
    "EV_SIGNAL",
    "EV_STAT",
    "EV_TIMEOUT",
    "EV_TIMER",
    "EV_TREE",
    "EV_UNDEF",
    "EV_WRITE",
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
]
__version__: str

class Error(Exception): ...

def fatal(callback: _C) -> _C: ...
def default_loop(
    flags: int = EVFLAG_AUTO,
    callback: Callable[[Loop], object] | None = None,
    data: Any = None,
    io_interval: float = 0.0,
    timeout_interval: float = 0.0,
    *,
    debug: bool = False,
) -> Loop: ...
def abi_version() -> tuple[int, int]: ...
def version() -> tuple[str, str]: ...
def feed_signal(signum: int) -> None: ...
def supported_backends() -> int: ...
def recommended_backends() -> int: ...
def embeddable_backends() -> int: ...

class Loop:
    def __init__(
        self,
        flags: int = EVFLAG_AUTO,
        callback: Callable[[Self], object] | None = None,
        data: Any = None,
        io_interval: float = 0.0,
        timeout_interval: float = 0.0,
        *,
        debug: bool = False,
    ) -> None: ...

    data: Any
    debug: bool
    io_interval: float
    timeout_interval: float
    clock: Clock
    callback: Callable[[Self], object] | None
    @property
    def backend(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def default(self) -> bool: ...
    @property
    def depth(self) -> int: ...
    @property
    def iteration(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def watchers(self) -> tuple[Watcher, ...]: ...
    def start(self, flags: int = 0) -> bool: ...
    def stop(self, how: int = EVBREAK_ONE) -> None: ...
    def loop(self, flags: int = 0) -> bool: ...
    def unloop(self, how: int = EVBREAK_ONE) -> None: ...
    def invoke(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def timeout(self) -> float | None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def now(self) -> float: ...
    def update(self) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...
    def ref(self) -> None: ...
    def unref(self) -> None: ...
    def incref(self) -> None: ...
    def decref(self) -> None: ...
    def feed_fd_event(self, fd: int, revents: int) -> None: ...
    def feed_signal_event(self, signum: int) -> None: ...
    def verify(self) -> None: ...
    def statistics(self) -> Statistics: ...
    def io(
        self,
        fd: FileDescriptorLike,
        events: int,
        callback: _Callback[Io] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Io: ...
    def timer(
        self,
        after: float,
        repeat: float,
        callback: _Callback[Timer] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Timer: ...
    def periodic(
        self,
        offset: float,
        interval: float,
        callback: _Callback[Periodic] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Periodic: ...
    def scheduler(
        self,
        reschedule: _Reschedule[Scheduler],
        callback: _Callback[Scheduler] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Scheduler: ...
    def signal(
        self,
        signum: int,
        callback: _Callback[Signal] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Signal: ...
    def child(
        self,
        pid: int,
        trace: bool,
        callback: _Callback[Child] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Child: ...
    def stat(
        self,
        path: StrOrBytesPath,
        interval: float,
        callback: _Callback[Stat] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Stat: ...
    def tree(
        self,
        path: StrOrBytesPath,
        callback: _Callback[Tree] | None = None,
        data: Any = None,
        priority: int = 0,
        *,
        filter: Callable[[Any], object] | None = None,
    ) -> Tree: ...
    def idle(
        self, callback: _Callback[Idle] | None = None, data: Any = None, priority: int = 0
    ) -> Idle: ...
    def prepare(
        self, callback: _Callback[Prepare] | None = None, data: Any = None, priority: int = 0
    ) -> Prepare: ...
    def check(
        self, callback: _Callback[Check] | None = None, data: Any = None, priority: int = 0
    ) -> Check: ...
    def embed(
        self,
        other: Loop,
        callback: _Callback[Embed] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> Embed: ...
    def fork(
        self, callback: _Callback[Fork] | None = None, data: Any = None, priority: int = 0
    ) -> Fork: ...
    def async_(
        self, callback: _Callback[Async] | None = None, data: Any = None, priority: int = 0
    ) -> Async: ...

class Watcher:
    data: Any
    priority: int
    callback: _Callback[Self]
    def __init__(
        self,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def loop(self) -> Loop: ...
    @property
    def active(self) -> bool: ...
    @property
    def pending(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def invoke(self, revents: int) -> None: ...
    def feed(self, revents: int) -> None: ...
    def clear(self) -> int: ...
    def __await__(self) -> Generator[Any, None, Any]: ...
    def __aiter__(self) -> AsyncIterator[Any]: ...
    def __aenter__(self) -> Coroutine[Any, Any, Self]: ...
    def __aexit__(self, *exc_info: object) -> Coroutine[Any, Any, None]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

class Io(Watcher):
    def __init__(
        self,
        fd: FileDescriptorLike,
        events: int,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def fd(self) -> int: ...
    @property
    def events(self) -> int: ...
    def set(self, fd: FileDescriptorLike, events: int) -> None: ...

class Timer(Watcher):
    repeat: float
    def __init__(
        self,
        after: float,
        repeat: float,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def remaining(self) -> float: ...
    def set(self, after: float, repeat: float) -> None: ...
    def reset(self) -> None: ...

class Periodic(Watcher):
    offset: float
    interval: float
    def __init__(
        self,
        offset: float,
        interval: float,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def at(self) -> float: ...
    def set(self, offset: float, interval: float) -> None: ...
    def reset(self) -> None: ...

class Scheduler(Watcher):
    reschedule: _Reschedule[Self]
    scheduler: _Reschedule[Self]
    def __init__(
        self,
        reschedule: _Reschedule[Self],
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def at(self) -> float: ...
    def reset(self) -> None: ...

class Signal(Watcher):
    def __init__(
        self,
        signum: int,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def signum(self) -> int: ...
    def set(self, signum: int) -> None: ...

class Child(Watcher):
    rpid: int
    rstatus: int
    def __init__(
        self,
        pid: int,
        trace: bool,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def set(self, pid: int, trace: bool) -> None: ...

class Stat(Watcher):
    def __init__(
        self,
        path: StrOrBytesPath,
        interval: float,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def path(self) -> str | bytes: ...
    @property
    def interval(self) -> float: ...
    @property
    def current(self) -> os.stat_result: ...
    @property
    def previous(self) -> os.stat_result: ...
    def set(self, path: StrOrBytesPath, interval: float) -> None: ...
    def stat(self) -> None: ...

class TreeChange(NamedTuple):
    kind: Literal["created", "deleted", "moved", "modified", "closed", "attributes"]
    path: Any
    old_path: Any
    is_directory: bool

class Tree(Watcher):
    def __init__(
        self,
        path: StrOrBytesPath,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
        *,
        filter: Callable[[Any], object] | None = None,
    ) -> None: ...
    @property
    def path(self) -> str | bytes: ...
    @property
    def filter(self) -> Callable[[Any], object] | None: ...
    @property
    def unwatched(self) -> tuple[Any, ...]: ...
    def changes(self) -> tuple[TreeChange, ...]: ...
    def set(
        self, path: StrOrBytesPath, *, filter: Callable[[Any], object] | None = None
    ) -> None: ...

class Idle(Watcher): ...
class Prepare(Watcher): ...
class Check(Watcher): ...

class Embed(Watcher):
    callback: _Callback[Self] | None  # type: ignore[assignment]
    def __init__(
        self,
        other: Loop,
        loop: Loop,
        callback: _Callback[Self] | None = None,
        data: Any = None,
        priority: int = 0,
    ) -> None: ...
    @property
    def other(self) -> Loop: ...
    def set(self, other: Loop) -> None: ...
    def sweep(self) -> None: ...

class Fork(Watcher): ...

class Async(Watcher):
    @property
    def sent(self) -> bool: ...
    def send(self) -> None: ...

class EventLoop(Loop, asyncio.SelectorEventLoop):
    slow_callback_duration: float
    def stop(self, how: int = 1) -> None: ...
    def close(self) -> None: ...

def new_event_loop() -> EventLoop: ...
def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T: ...
def install() -> None: ...
def watchdog(
    loop: Loop,
    threshold: float = 0.1,
    report: Callable[[SlowCallback], object] | None = None,
    pause: float = 1.0,
) -> Watchdog: ...
def monitor(loop: Loop, where: str | os.PathLike[str] | int) -> Monitor: ...
