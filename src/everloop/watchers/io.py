"""Io: a descriptor is readable or writable."""

import cython
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.constants import EV_MAXPRI, EV_READ, EV_WRITE
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL, UNWATCHED
from cython.cimports.everloop.sys.compiler import unlikely
from cython.cimports.everloop.sys.python import (
    PyObject_AsFileDescriptor,
    allocate,
    live_as,
    track,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.inline import (
    start_io,
    start_io_quickly,
    stop_io,
    stop_io_quickly,
)
from cython.cimports.everloop.watchers.making import fill, rank_given


@cython.cclass
class Io(Watcher):
    """Io(fd, events, loop, callback=None, data=None, priority=0)\n--\n
    Calls back while a descriptor is ready to be read or written.

    Level-triggered: the callback is called in each pass of the loop in which the
    descriptor is ready. Any number of watchers may watch one descriptor; each is
    told of the events that it asks for. Hang-up and error count as readable and
    as writable. A file that the kernel can't wait for (a regular file) is always
    ready.

    fd: a descriptor, or an object with fileno(). The watcher keeps the number
    only: stop it before the descriptor is closed. For a descriptor that is closed
    or invalid, Loop.start raises OSError (EBADF) that names the watcher, after
    stopping this one watcher.
    events: EV_READ, EV_WRITE or both (or 0: active, but never called).

    Raises TypeError or ValueError for a bad fd or bad events.
    """

    def __init__(
        self,
        fd,
        events,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = descriptor_of(fd)
        wanted: cython.uchar = events_of(events)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self.fd = number
        self.extra = wanted
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Watch from the next pass on; does nothing if active. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if unlikely(not start_io_quickly(self)):
            start_thoroughly(self)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Watch no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if unlikely(not stop_io_quickly(self)):
            stop_thoroughly(self)

    def set(self, fd, events) -> None:
        """Watch another descriptor, or for other events; as in the constructor.

        Raises Error while the watcher is active.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = descriptor_of(fd)
        wanted: cython.uchar = events_of(events)
        check_inactive(self, "set() can't be called")
        self.fd = number
        self.extra = wanted

    @property
    def events(self) -> int:
        """EV_READ, EV_WRITE or both, as asked for. Read only."""
        return self.extra

    def _describe(self) -> str:
        names = {0: "nothing", 1: "EV_READ", 2: "EV_WRITE", 3: "EV_READ|EV_WRITE"}
        return f"fd={self.fd} {names[self.extra]}"


@cython.cfunc
def new_io(
    loop: CallingLoop, fd: object, events: object, callback: object, data: object, priority: object
) -> Io:
    number: cython.int = descriptor_of(fd)
    wanted: cython.uchar = events_of(events)
    if callback is None:
        callback = loop.stand_in()
    rank: cython.int = rank_given(loop, callback, priority)
    self: Io = cython.cast(Io, allocate(Io))
    fill(self, loop, callback, data, rank)
    self.fd = number
    self.extra = wanted
    self.next_on_fd = cython.NULL
    track(self)
    return self


@cython.cfunc
def new_internal_io(loop: CallingLoop, fd: cython.int, events: cython.int, callback: object) -> Io:
    """An Io for a descriptor of the loop's own, served before all others."""
    self: Io = new_io(loop, fd, events, callback, None, EV_MAXPRI)
    self.flags |= INTERNAL
    return self


@cython.cfunc
@cython.exceptval(-1, check=False)
def start_thoroughly(self: Io) -> cython.int:
    if self.flags & ACTIVE:
        return 0
    loop: CallingLoop = self.loop
    if unable(loop):
        make_able(self)
    return start_io(self)


@cython.cfunc
@cython.exceptval(-1, check=False)
def stop_thoroughly(self: Io) -> cython.int:
    if self.flags & ACTIVE:
        stop_io(self)
    elif self.slot:
        self.loop.take_back(self)
    elif self.flags & UNWATCHED:
        self.flags &= ~UNWATCHED
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def descriptor_of(fd: object) -> cython.int:
    try:
        return PyObject_AsFileDescriptor(fd)
    except OverflowError:
        raise OverflowError("fd is out of range") from None
    except TypeError:
        if hasattr(fd, "fileno"):
            raise
        kind: str = type(fd).__name__
        raise TypeError(f"fd must be an int or have a fileno() method, not {kind}") from None


@cython.cfunc
@cython.exceptval(255, check=False)
def events_of(events: object) -> cython.uchar:
    bits: cython.int = whole("events", events)
    if bits & ~(EV_READ | EV_WRITE):
        raise ValueError(f"events must be EV_READ, EV_WRITE or both, not {events!r}")
    return cython.cast(cython.uchar, bits)


live_as(Io, Watcher)
