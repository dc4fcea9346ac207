"""SocketTransport: what the transports of sockets have in common.

What is written is sent at once; what the kernel does not take is kept, and sent when it
takes more.

Who owns what: while the transport reads or has something to send, the loop owns its
TransportIo, and that the transport. A transport that is dropped while it does neither
is closed with a ResourceWarning.

Invariants: connection_lost() is called once, after closing was set and lost counted;
nothing is watched any more by then. A protocol that was told to pause writing is told
to resume it, unless the connection is lost.
"""

import asyncio
import sys
import warnings

import cython
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo, prepare
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.protocol_calls import enter_loop_by, own_thread
from cython.cimports.everloop.aio.transports.socket_owner import (
    SocketOwner,
    close_socket,
    detach,
    name_of,
)
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.engine.failures import propagate, system_error
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.sys.threads import Section

from everloop.aio.stdlib import FlowControlMixin, logger

# After so many writes to a lost connection it is logged.
MOST_LOST_WRITES = 5


class StreamFace(FlowControlMixin, asyncio.Transport):
    """What isinstance() takes a stream transport for: asyncio's classes can't be bases
    of compiled ones."""


class DatagramFace(FlowControlMixin, asyncio.DatagramTransport):
    """What isinstance() takes a datagram transport for."""


@cython.final
@cython.cclass
class TransportIo(ServedIo):
    """One direction of a transport."""

    def __repr__(self):
        way = "reading" if self.extra == EV_READ else "writing"
        return f"<{type(self).__name__} {way} for {self.transport!r}>"

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, revents: cython.int) -> cython.int:
        if self.transport is None:
            return self.end()
        if self.extra == EV_READ:
            return self.transport.readable()
        return self.transport.writable()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refused(self, error: cython.int) -> cython.int:
        if self.transport is None:
            return 0
        return self.transport.fail(
            system_error(error), "Fatal error: the descriptor can't be watched"
        )


@cython.cclass
class SocketTransport(SocketOwner):
    """The base of transports. None of their methods is thread-safe."""

    def __cinit__(self):
        self.high_water = HIGH_WATER
        self.low_water = HIGH_WATER // 4

    def __init__(self):
        raise TypeError("a transport is made by create_connection() and the like")

    def __del__(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        if self.fd < 0:
            return
        try:
            if not self.lost:
                warnings.warn(
                    f"unclosed transport {self!r}", ResourceWarning, stacklevel=1, source=self
                )
        finally:
            self.stop_watching()
            detach(self)
            close_socket(self)

    # Reading

    def is_reading(self) -> bool:
        """Whether data is read when it comes."""
        section: Section
        enter_loop_by(cython.address(section), self)
        return not (self.closing or self.paused)

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        if self.closing or self.paused:
            return
        self.paused = True
        if self.reader is not None:
            self.reader.end()

    def resume_reading(self) -> None:
        """Read again after `pause_reading`."""
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        if self.closing or not self.paused:
            return
        self.paused = False
        self.watch_reads()

    # Writing

    def get_write_buffer_size(self) -> int:
        """How many bytes are kept, which the kernel has not taken."""
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.kept()

    def get_write_buffer_limits(self) -> tuple:
        """The low and the high water mark, in bytes."""
        return (self.low_water, self.high_water)

    def set_write_buffer_limits(self, high=None, low=None) -> None:
        """Say when the protocol is told to pause and to resume writing, in bytes kept.

        The default for low is a quarter of high, for high four times low or 64 KiB.
        Raises ValueError unless high >= low >= 0.
        """
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        low, high = water_marks(high, low)
        self.low_water, self.high_water = whole_bytes(low), whole_bytes(high)
        self.hold_back()

    # Ending

    def is_closing(self) -> bool:
        """Whether the transport is closed or on its way there."""
        return self.closing

    def close(self) -> None:
        """Close after what is kept has been sent; the protocol learns by connection_lost()."""
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        if self.closing:
            return
        self.closing = True
        if self.reader is not None:
            self.reader.end()
        if self.kept() == 0:
            self.lose(None)

    def abort(self) -> None:
        """Close at once; what is kept is not sent."""
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        self.shut(None)

    def __repr__(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        info = [type(self).__name__]
        if self.fd < 0:
            info.append("closed")
        elif self.closing:
            info.append("closing")
        info.append(f"fd={self.fd}")
        if self.fd >= 0:
            reading = self.reader is not None and self.reader.active
            writing = self.writer is not None and self.writer.active
            info.append(f"read={'polling' if reading else 'idle'}")
            info.append(f"write=<{'polling' if writing else 'idle'}, bufsize={self.kept()}>")
        return f"<{' '.join(info)}>"

    # What the standard library's part of the loop asks for

    @property
    def _server(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.server

    @property
    def _closing(self):
        return self.closing

    @property
    def _paused(self):
        return self.paused

    @property
    def _protocol_paused(self):
        return self.held_back

    @property
    def _conn_lost(self):
        return self.lost

    @property
    def _high_water(self):
        return self.high_water

    @property
    def _low_water(self):
        return self.low_water

    def _force_close(self, error):
        section: Section
        enter_loop_by(cython.address(section), self)
        self.shut(error)

    def _fatal_error(self, error, message="Fatal error on transport"):
        section: Section
        enter_loop_by(cython.address(section), self)
        self.fail(error, message)

    def _begin(self, waiter):
        """The first call to the protocol, before anything is read."""
        section: Section
        enter_loop_by(cython.address(section), self)
        try:
            self.protocol.connection_made(self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report("Fatal error: protocol.connection_made() call failed.", error)
        finally:
            self.watch_reads()
            if waiter is not None and not waiter.cancelled():
                waiter.set_result(None)

    def _connection_lost(self, error):
        """The last call to the protocol."""
        section: Section
        enter_loop_by(cython.address(section), self)
        try:
            if self.protocol is not None:
                self.protocol.connection_lost(error)
        finally:
            self.stop_watching()
            detach(self)
            close_socket(self)
            self.protocol = None
            self.tls = None
            self.reader = None
            self.writer = None
            self.drop()
            self.finish()

    # Steps

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_reads(self) -> cython.int:
        """Read when there is something, unless the transport is paused or closing."""
        if self.closing or self.paused or self.fd < 0:
            return 0
        return self.reader.begin()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_writes(self) -> cython.int:
        """Go on when the kernel takes more."""
        if self.writer is None:
            self.writer = TransportIo.__new__(TransportIo)
            self.writer.transport = self
            prepare(self.writer, self.loop, self.fd, EV_WRITE)
        return self.writer.begin()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def stop_watching(self) -> cython.int:
        if self.reader is not None:
            self.reader.end()
        if self.writer is not None:
            self.writer.end()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hold_back(self) -> cython.int:
        """Tell the protocol to pause writing if too much is kept."""
        if self.held_back or self.kept() <= self.high_water:
            return 0
        self.held_back = True
        return self.tell_flow("pause_writing")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def let_go_on(self) -> cython.int:
        """Tell the protocol to resume writing if little is kept."""
        if not self.held_back or self.kept() > self.low_water:
            return 0
        self.held_back = False
        return self.tell_flow("resume_writing")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def protocol_failed(self, message: str) -> cython.int:
        """Close, since the protocol raised the exception that is set."""
        try:
            propagate()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            return self.fail(error, message)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def fail(self, error: object, message: str) -> cython.int:
        """Report an error, unless it is of the kind that connections have, and close."""
        if isinstance(error, OSError):
            if self.loop.debug_mode:
                logger.debug("%r: %s", self, message, exc_info=error)
        else:
            self.report(message, error)
        return self.shut(error)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def shut(self, error: object) -> cython.int:
        """Close at once; the protocol is told why."""
        if self.lost or self.fd < 0:
            return 0
        self.drop()
        self.stop_watching()
        self.closing = True
        return self.lose(error)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def lose(self, error: object) -> cython.int:
        """Have connection_lost() called soon; nothing is read or sent any more."""
        self.lost += 1
        self.stop_watching()
        if self.loop.state != OPEN:
            # Nobody will be called any more.
            detach(self)
            return close_socket(self)
        self.loop.transports.pop(self.fd, None)
        # In a copy: the context itself may be entered further up, by a loop within.
        self.loop.soon(self._connection_lost, (error,), self.context.copy())
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def lose_at_once(self) -> cython.int:
        """The last byte of a closing transport has been sent: connection_lost() is called."""
        self.lost += 1
        self.ask(self._connection_lost, (None,))
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def lost_write(self) -> cython.int:
        """Something was written though the connection is lost."""
        if self.lost >= MOST_LOST_WRITES:
            logger.warning("socket.send() raised exception.")
        self.lost += 1
        return 0

    # What each kind does in its own way

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def readable(self) -> cython.int:
        """There is something to read."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def writable(self) -> cython.int:
        """The kernel takes more."""
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def kept(self) -> cython.Py_ssize_t:
        """How many bytes are to be sent yet."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def drop(self) -> cython.int:
        """Forget what is to be sent yet."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def finish(self) -> cython.int:
        """The connection is over: whoever waits for something else is told."""
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def set_up(
    self: SocketTransport,
    loop: Carrying,
    fd: cython.int,
    family: cython.int,
    protocol: object,
    server: object,
    context: object,
) -> cython.int:
    """What all kinds have in common, for a socket that is open."""
    protocol.connection_made  # noqa: B018 what is no protocol at all is refused here, to the caller
    self.loop = loop
    self.set_protocol(protocol)
    self.context = context
    self.reader = TransportIo.__new__(TransportIo)
    self.reader.transport = self
    prepare(self.reader, loop, fd, EV_READ)
    self.own(loop, fd, family, server)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def begin_with_socket(
    self: SocketTransport, sock: object, extra: object, waiter: object
) -> cython.int:
    """Own a socket object, and start in the next round of the loop."""
    self.sock = sock
    known: dict = self.known()
    if extra is not None:
        known.update(extra)
    if "peername" not in known:
        known["peername"] = name_of(sock.getpeername)
    self.loop.soon(self._begin, (waiter,), self.context)
    return 0


def water_marks(high, low):
    """The low and the high water mark in bytes, of which either may be left open: None."""
    if high is None:
        high = HIGH_WATER if low is None else 4 * low
    if low is None:
        low = high // 4
    if not high >= low >= 0:
        raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
    return low, high


@cython.cfunc
@cython.exceptval(-1, check=True)
def whole_bytes(mark: object) -> cython.Py_ssize_t:
    """A water mark as a size, which is whole: no buffer comes to more than the largest size."""
    return int(min(mark, sys.maxsize))


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_bytes(data: object) -> cython.int:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
    return 0


@cython.cfunc
def as_bytes(data: object) -> bytes:
    if type(data) is bytes:
        return data
    check_bytes(data)
    return bytes(data)
