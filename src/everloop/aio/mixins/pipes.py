"""Pipes as transports: FIFOs, sockets and character devices, read or written.

All calls of a protocol that the loop makes run in one context.
"""

import asyncio
import contextvars
import errno
import os
import stat
import warnings

from everloop.aio.mixins.plain_transport import PlainTransport
from everloop.aio.stdlib import logger
from everloop.aio.transports.transport import MOST_LOST_WRITES, water_marks

READ_AT_ONCE = 256 * 1024


class Pipe(PlainTransport, asyncio.BaseTransport):
    """What both directions have in common."""

    def __init__(self, loop, pipe, protocol, context):
        super().__init__({"pipe": pipe})
        self._pipe = None
        protocol.connection_made  # noqa: B018 what is no protocol at all is refused
        self._kind = os.fstat(pipe.fileno()).st_mode
        if not any(of(self._kind) for of in (stat.S_ISFIFO, stat.S_ISSOCK, stat.S_ISCHR)):
            raise ValueError("Pipe transport is for pipes, sockets and character devices only.")
        self._loop = loop
        self._fileno = pipe.fileno()
        self._protocol = protocol
        self._context = contextvars.copy_context() if context is None else context
        self._closing = False
        os.set_blocking(self._fileno, False)
        self._pipe = pipe

    def __del__(self):
        if self._pipe is not None:
            warnings.warn(
                f"unclosed transport {self!r}", ResourceWarning, stacklevel=1, source=self
            )
            self._pipe.close()

    def __repr__(self):
        if self._pipe is None:
            return f"<{type(self).__name__} closed>"
        state = "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={self._fileno}{self._more()}>"

    def is_closing(self):
        """Whether the transport is closed or on its way there."""
        return self._closing

    def _soon(self, callback, *args):
        self._loop.call_soon(callback, *args, context=self._context)

    def _watch(self, callback, add="_add_reader"):
        """Returns whether the pipe is watched; else that has closed the transport."""
        try:
            getattr(self._loop, add)(self._fileno, callback, context=self._context)
        except OSError as error:
            self._fail(error, "Fatal error: the pipe can't be watched", usual=False)
            return False
        return True

    def _begin(self, waiter):
        try:
            try:
                self._protocol.connection_made(self)
            finally:
                self._watch_at_first()
        finally:
            if waiter is not None and not waiter.cancelled():
                waiter.set_result(None)

    def _fail(self, error, message, *, usual):
        """Close because of an error, which is reported if it is not of the usual kind."""
        if usual:
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=error)
        else:
            self._loop.call_exception_handler(
                {
                    "message": message,
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
        self._shut(error)

    def _shut(self, error):
        """Close at once; the protocol is told why."""
        self._closing = True
        self._loop._remove_reader(self._fileno)
        self._soon(self._lose, error)

    def _lose(self, error):
        """The last call of the protocol."""
        if self._pipe is None:
            return
        try:
            self._protocol.connection_lost(error)
        finally:
            self._pipe.close()
            self._pipe = self._protocol = self._loop = None


class ReadPipe(Pipe, asyncio.ReadTransport):
    """The end of a pipe that is read."""

    def __init__(self, loop, pipe, protocol, waiter=None, context=None):
        super().__init__(loop, pipe, protocol, context)
        self._paused = False
        self._soon(self._begin, waiter)

    def is_reading(self):
        """Whether data is read when it comes."""
        return not (self._paused or self._closing)

    def pause_reading(self):
        """Read no more until `resume_reading`."""
        self._check_thread()
        if self.is_reading():
            self._paused = True
            self._loop._remove_reader(self._fileno)

    def resume_reading(self):
        """Read again after `pause_reading`."""
        self._check_thread()
        if self._paused and not self._closing:
            self._paused = False
            self._watch(self._readable)

    def close(self):
        """Read no more; the protocol learns by connection_lost()."""
        self._check_thread()
        if not self._closing:
            self._shut(None)

    def _more(self):
        return " read=polling" if self.is_reading() else " read=idle"

    def _watch_at_first(self):
        if self.is_reading():
            self._watch(self._readable)

    def _readable(self):
        try:
            data = os.read(self._fileno, READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            # That is how the other end of a terminal is closed.
            usual = error.errno == errno.EIO
            self._fail(error, "Fatal read error on pipe transport", usual=usual)
            return
        if data:
            self._protocol.data_received(data)
            return
        self._closing = True
        self._loop._remove_reader(self._fileno)
        self._soon(self._protocol.eof_received)
        self._soon(self._lose, None)


class WritePipe(Pipe, asyncio.Transport):
    """The end of a pipe that is written to; to isinstance() it can be read, as asyncio's."""

    def __init__(self, loop, pipe, protocol, waiter=None, context=None):
        super().__init__(loop, pipe, protocol, context)
        self._buffer = bytearray()
        self._low_water, self._high_water = water_marks(None, None)
        self._protocol_paused = False
        self._conn_lost = 0
        self._soon(self._begin, waiter)

    def write(self, data):
        """Send data, a bytes-like object, as soon as somebody reads it."""
        self._check_thread()
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(
                f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            )
        if not len(data):
            return
        if self._conn_lost or self._closing:
            if self._conn_lost >= MOST_LOST_WRITES:
                logger.warning("pipe closed by peer or os.write(pipe, data) raised exception.")
            self._conn_lost += 1
            return
        data = memoryview(data).cast("B")
        if not self._buffer:
            done = self._send(data)
            if done is None or done == len(data):
                return
            data = data[done:]
            if not self._watch(self._writable, "_add_writer"):
                return
        self._buffer += data
        self._hold_back()

    def write_eof(self):
        """Close after what is kept has been sent: the reader gets the end of the file."""
        self._check_thread()
        if self._closing:
            return
        self._closing = True
        if not self._buffer:
            self._loop._remove_reader(self._fileno)
            self._soon(self._lose, None)

    def can_write_eof(self):
        """True: as `close`."""
        return True

    def close(self):
        """As `write_eof`."""
        self.write_eof()

    def abort(self):
        """Close at once; what is kept is not sent."""
        self._check_thread()
        if self._pipe is not None:
            self._shut(None)

    def get_write_buffer_size(self):
        """How many bytes are kept."""
        return len(self._buffer)

    def get_write_buffer_limits(self):
        """The low and the high water mark, in bytes."""
        return self._low_water, self._high_water

    def set_write_buffer_limits(self, high=None, low=None):
        """Say when the protocol is told to pause and to resume writing, in bytes kept.

        The default for low is a quarter of high, for high four times low or 64 KiB.
        Raises ValueError unless high >= low >= 0.
        """
        self._check_thread()
        self._low_water, self._high_water = water_marks(high, low)
        self._hold_back()

    def _more(self):
        state = "polling" if self._buffer else "idle"
        return f" write=<{state}, bufsize={len(self._buffer)}>"

    def _watch_at_first(self):
        # What can be read of such a writing end is that nobody reads the other one.
        watches = stat.S_ISSOCK(self._kind) or stat.S_ISFIFO(self._kind)
        if watches and self._pipe is not None and not self._closing:
            self._watch(self._readable)

    def _readable(self):
        self._shut(BrokenPipeError() if self._buffer else None)

    def _send(self, data):
        """How many bytes the kernel has taken; None if that has closed the transport."""
        try:
            return os.write(self._fileno, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._conn_lost += 1
            self._fail(error, "Fatal write error on pipe transport", usual=True)
            return None

    def _writable(self):
        done = self._send(self._buffer)
        if not done:
            return
        del self._buffer[:done]
        if self._buffer:
            return
        self._loop._remove_writer(self._fileno)
        self._let_go_on()
        if self._closing and not self._buffer:
            self._loop._remove_reader(self._fileno)
            self._lose(None)

    def _shut(self, error):
        if self._buffer:
            self._loop._remove_writer(self._fileno)
            self._buffer.clear()
        super()._shut(error)

    def _hold_back(self):
        if not self._protocol_paused and len(self._buffer) > self._high_water:
            self._protocol_paused = True
            self._tell_flow(self._protocol.pause_writing)

    def _let_go_on(self):
        if self._protocol_paused and len(self._buffer) <= self._low_water:
            self._protocol_paused = False
            self._tell_flow(self._protocol.resume_writing)

    def _tell_flow(self, method):
        try:
            method()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._loop.call_exception_handler(
                {
                    "message": f"protocol.{method.__name__}() failed",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )


class Piping:
    """The part of EventLoop that makes transports of pipes."""

    async def connect_read_pipe(self, protocol_factory, pipe, *, context=None):
        """Have a protocol told of what comes from a pipe, a file object.

        context: the contextvars.Context of its calls; a copy of the current one if None.
        Returns the transport, which owns the pipe, and the protocol.

        Raises ValueError for what is no pipe, socket or character device.
        """
        return await self._connect_pipe(ReadPipe, protocol_factory, pipe, context)

    async def connect_write_pipe(self, protocol_factory, pipe, *, context=None):
        """The same as `connect_read_pipe` for what is written to."""
        return await self._connect_pipe(WritePipe, protocol_factory, pipe, context)

    async def _connect_pipe(self, kind, protocol_factory, pipe, context):
        protocol = protocol_factory()
        waiter = self.create_future()
        transport = kind(self, pipe, protocol, waiter, context)
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        if self._debug:
            logger.debug("pipe %r connected: (%r, %r)", pipe, transport, protocol)
        return transport, protocol
