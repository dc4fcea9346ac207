"""ServedIo: an Io whose event the asyncio face serves itself, without a callback."""

import cython
from cython.cimports.everloop.aio.calls.handle import RANK
from cython.cimports.everloop.aio.descriptors.watching import Watching
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.queues.entry import ACTIVE, HIDDEN
from cython.cimports.everloop.watcher import adopt
from cython.cimports.everloop.watchers.inline import start_io, stop_io
from cython.cimports.everloop.watchers.io import Io


@cython.cclass
class ServedIo(Io):
    """The base of what waits for a descriptor: each kind says what it does then."""

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} is made by the loop only")

    def set(self, *args) -> None:
        raise TypeError(f"{type(self).__name__} can't be set")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def begin(self) -> cython.int:
        """Watch; nothing if it does."""
        if not self.flags & ACTIVE:
            if self.loop.state != OPEN:
                raise RuntimeError("Event loop is closed")
            self.loop.roster.reserve()
            start_io(self)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def end(self) -> cython.int:
        """Watch no longer; nothing if it does not."""
        if self.flags & ACTIVE:
            stop_io(self)
        elif self.slot:
            self.loop.take_back(self)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, revents: cython.int) -> cython.int:
        """The descriptor is ready."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refused(self, error: cython.int) -> cython.int:
        """The kernel can't watch the descriptor: it was probably closed. Has been ended."""
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def prepare(self: ServedIo, loop: Watching, fd: cython.int, events: cython.int) -> cython.int:
    """The part of making one that all kinds share."""
    self.fd = fd
    self.extra = cython.cast(cython.uchar, events)
    self.flags |= HIDDEN
    return adopt(self, loop, None, None, RANK)
