"""TLS: the standard library's protocol, with a compiled way for the data.

Handshake, shutdown and everything rare are those of asyncio's SSLProtocol. What is
compiled (SSLCore) takes records from the transport's buffer straight to OpenSSL, and
asks OpenSSL for no more than it has, since to be told so costs an exception.
"""

import asyncio
import contextlib
import ssl

import cython
from cython.cimports.cpython.buffer import PyBUF_READ
from cython.cimports.cpython.memoryview import PyMemoryView_FromMemory

from everloop.aio.stdlib import SSLProtocol, SSLProtocolState, SSLProtocolTransport

BufferedProtocol = asyncio.BufferedProtocol
SSLAgainErrors = (ssl.SSLWantReadError, ssl.SSLSyscallError)
DO_HANDSHAKE = SSLProtocolState.DO_HANDSHAKE
FLUSHING = SSLProtocolState.FLUSHING
SHUTDOWN = SSLProtocolState.SHUTDOWN
WRAPPED = SSLProtocolState.WRAPPED

# Bytes that a peer may send after it was told of the end: more than the kernel's buffers hold.
MOST_DROPPED = 16 * 1024 * 1024


@cython.cclass
class SSLCore:
    """The compiled part of FastSSLProtocol; not to be used by itself."""

    @property
    def _sslobj(self):
        return self.session

    @_sslobj.setter
    def _sslobj(self, session):
        self.session = session
        if isinstance(session, ssl.SSLObject):
            session = session._sslobj
        self.read_some = session.read
        self.write_some = session.write
        self.decrypted = session.pending

    def get_buffer(self, n):
        """Room to receive into, for transports that are not ours."""
        if self._ssl_buffer_view is None:
            self._ssl_buffer = bytearray(ROOM)
            self._ssl_buffer_view = memoryview(self._ssl_buffer)
        return self._ssl_buffer_view

    def buffer_updated(self, nbytes):
        """So much has been received."""
        self._incoming.write(self._ssl_buffer_view[:nbytes])
        self.go_on()

    def _do_read(self):
        """Hand on what can be decrypted, and send what that led to."""
        if self._state is not FLUSHING and (self._state is not WRAPPED or self.held):
            return
        try:
            if not self._app_reading_paused:
                if self._app_protocol_is_buffer:
                    self.read_into_buffer()
                else:
                    self.read_records()
                if self._write_backlog:
                    self._do_write()
                else:
                    self.send_outgoing()
            waiting: cython.Py_ssize_t = self._incoming.pending
            if waiting >= self._incoming_high_water or self._ssl_reading_paused:
                self._control_ssl_reading()
        except Exception as error:
            self._fatal_error(error, "Fatal error on SSL protocol")

    def _hold(self):
        """Hand nothing on until _go_on()."""
        self.held = True

    def _go_on(self):
        self.held = False
        self._do_read()

    def _process_outgoing(self):
        self.send_outgoing()

    def _abort(self, exc=None):
        self._set_state(SSLProtocolState.UNWRAPPED)
        if self._transport is not None:
            self._transport._force_close(exc)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take_in(self, data: cython.p_char, count: cython.Py_ssize_t) -> cython.int:
        """Bytes from the network."""
        if type(self._incoming) is ssl.MemoryBIO:
            self._incoming.write(PyMemoryView_FromMemory(data, count, PyBUF_READ))
        else:
            self._incoming.write(data[:count])
        return self.go_on()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def go_on(self) -> cython.int:
        """Something has been received: what that means depends on the state."""
        if self._state is WRAPPED:
            self._do_read()
        elif self._state is DO_HANDSHAKE:
            self._do_handshake()
        elif self._state is FLUSHING:
            self._do_flush()
        elif self._state is SHUTDOWN:
            self._do_shutdown()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_into_buffer(self) -> cython.int:
        """Decrypt what is complete into the room of a BufferedProtocol.

        The room is the protocol's alone again by the time that it is told: it may be
        a bytearray, to be resized.
        """
        room: object = self._app_protocol_get_buffer(self._get_read_buffer_size())
        size: cython.Py_ssize_t = len(room)
        count: cython.Py_ssize_t = -1
        filled: cython.Py_ssize_t = 0
        try:
            count = filled = self.read_some(size, room)
            while count > 0 and filled < size:
                with memoryview(room) as whole, whole[filled:] as rest:
                    count = self.read_some(size - filled, rest)
                filled += count
            if count > 0:
                self._loop.call_soon(self._do_read)
        except SSLAgainErrors:
            pass
        if filled > 0:
            self._app_protocol_buffer_updated(filled)
        if count == 0:
            self._call_eof_received()
            self._start_shutdown()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_records(self) -> cython.int:
        """Decrypt what is complete and hand it to the protocol, in one piece."""
        first: object = self.read_record()
        if first is None:
            return 0
        pieces: list = None
        last: object = first
        while last:
            if not self._incoming.pending and not self.decrypted():
                break
            last = self.read_record()
            if last is None:
                break
            if last:
                if pieces is None:
                    pieces = [first]
                pieces.append(last)
        if first:
            self._app_protocol.data_received(first if pieces is None else b"".join(pieces))
        if last is not None and not last:
            self._call_eof_received()
            self._start_shutdown()
        return 0

    @cython.cfunc
    def read_record(self) -> object:
        """The plain text of a record; empty at the end; None if none is complete."""
        size: cython.Py_ssize_t = RECORD
        if not self.partial:
            size = self._incoming.pending
            if size == 0:
                size = 1
            elif size > RECORD:
                size = RECORD
        try:
            data: object = self.read_some(size)
        except SSLAgainErrors:
            self.partial = True
            return None
        self.partial = False
        return data

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_outgoing(self) -> cython.int:
        """Send what OpenSSL has made."""
        if not self._ssl_writing_paused and self._outgoing.pending:
            self._transport.write(self._outgoing.read())
        kept: cython.Py_ssize_t = self._write_buffer_size
        if self._ssl_writing_paused:
            kept += self._outgoing.pending
        if kept >= self._outgoing_high_water or self._app_writing_paused:
            self._control_app_writing()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def write(self, data: object) -> cython.int:
        """Encrypt and send."""
        if self._state is not WRAPPED or self._write_backlog or type(data) is not bytes:
            self._write_appdata((bytes(data),))
            return 0
        count: cython.Py_ssize_t
        try:
            try:
                count = self.write_some(data)
            except SSLAgainErrors:
                count = 0
            if count < len(data):
                self._write_backlog.append(data[count:])
                self._write_buffer_size += len(data) - count
            self.send_outgoing()
        except Exception as error:
            self._fatal_error(error, "Fatal error on SSL protocol")
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def takes_buffer(protocol: object) -> cython.bint:
    """Whether a protocol is told of data as a BufferedProtocol is, whatever its class."""
    if isinstance(protocol, BufferedProtocol):
        return True
    return not hasattr(protocol, "data_received") and hasattr(protocol, "get_buffer")


class SSLTransport(SSLProtocolTransport):
    """What the application's protocol writes to."""

    def write(self, data):
        """Encrypt data, a bytes-like object, and send it as soon as the peer takes it."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data: expecting a bytes-like instance, got {type(data).__name__}")
        self._loop._check_own_thread()
        core: SSLCore = self._ssl_protocol
        if core is not None and data:
            core.write(data)

    def writelines(self, list_of_data):
        """Send each of an iterable of bytes-like objects."""
        self._loop._check_own_thread()
        SSLProtocolTransport.writelines(self, list_of_data)

    def set_protocol(self, protocol):
        """Tell another protocol from now on."""
        self._loop._check_own_thread()
        SSLProtocolTransport.set_protocol(self, protocol)

    def pause_reading(self):
        """Read no more until `resume_reading`."""
        self._loop._check_own_thread()
        SSLProtocolTransport.pause_reading(self)

    def resume_reading(self):
        """Read again after `pause_reading`."""
        self._loop._check_own_thread()
        SSLProtocolTransport.resume_reading(self)

    def set_write_buffer_limits(self, high=None, low=None):
        """Say when the protocol is told to pause and to resume writing, in bytes kept."""
        self._loop._check_own_thread()
        SSLProtocolTransport.set_write_buffer_limits(self, high, low)

    def close(self):
        """Close after what is kept has been sent; the protocol learns by connection_lost()."""
        self._loop._check_own_thread()
        SSLProtocolTransport.close(self)

    def abort(self):
        """Close at once; what is kept is not sent."""
        self._loop._check_own_thread()
        SSLProtocolTransport.abort(self)


class FastSSLProtocol(SSLCore, SSLProtocol):
    """asyncio's SSLProtocol with the compiled way for data."""

    # The buffer of the base is not needed: see get_buffer().
    max_size = 0

    def __init__(self, *args, call_connection_made=True, **kwargs):
        SSLProtocol.__init__(self, *args, call_connection_made=call_connection_made, **kwargs)
        self._ssl_buffer_view = None
        self.is_upgrade = not call_connection_made
        self.dropped = 0  # bytes of what came after the shutdown

    def take_early(self, data):
        """What has come from the network before connection_made()."""
        if data:
            self._incoming.write(data)

    def _set_app_protocol(self, app_protocol):
        SSLProtocol._set_app_protocol(self, app_protocol)
        if not self._app_protocol_is_buffer and takes_buffer(app_protocol):
            self._app_protocol_get_buffer = app_protocol.get_buffer
            self._app_protocol_buffer_updated = app_protocol.buffer_updated
            self._app_protocol_is_buffer = True

    def _wakeup_waiter(self, exc=None):
        """The handshake is over. Who awaits start_tls() has its result before data comes."""
        if self._waiter is not None and exc is None and self.is_upgrade:
            self._hold()
            SSLProtocol._wakeup_waiter(self)
            self._loop.call_soon(self._go_on)
        else:
            SSLProtocol._wakeup_waiter(self, exc)

    def _start_shutdown(self):
        """Close: also when the peer ended its stream before, while reading was paused."""
        if self._state is not FLUSHING or self._shutdown_timeout_handle is not None:
            SSLProtocol._start_shutdown(self)
            return
        if self._app_transport is not None:
            self._app_transport._closed = True
        # The peer says nothing any more, but may wait to hear from us.
        with contextlib.suppress(ssl.SSLError):
            self._sslobj.unwrap()
        self._do_flush()

    def _do_flush(self):
        if self._shutdown_timeout_handle is None:
            self._shutdown_timeout_handle = self._loop.call_later(
                self._ssl_shutdown_timeout, self._check_shutdown_timeout
            )
        SSLProtocol._do_flush(self)

    def _do_shutdown(self):
        """Say that nothing more comes, and wait for the peer to say so, too.

        What it sends before is read, or it could not go on, and dropped: so much of it
        as may have been under way, for some never listen.
        """
        self._drop_received()
        if self.dropped > MOST_DROPPED:
            self._on_shutdown_complete(None)
        else:
            SSLProtocol._do_shutdown(self)

    def _drop_received(self):
        with contextlib.suppress(ssl.SSLError):
            while data := self._sslobj.read(RECORD):
                self.dropped += len(data)
        if self._ssl_reading_paused:
            self._control_ssl_reading()

    def _on_shutdown_complete(self, shutdown_exc):
        """What the peer sent before it knew of the shutdown is no error."""
        if getattr(shutdown_exc, "reason", None) == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY":
            shutdown_exc = None
        if shutdown_exc is None:
            # Its time goes on until all has been sent.
            self._loop.call_soon(self._transport.close)
        else:
            SSLProtocol._on_shutdown_complete(self, shutdown_exc)

    def _get_app_transport(self):
        if self._app_transport is None:
            if self._app_transport_created:
                raise RuntimeError("Creating _SSLProtocolTransport twice")
            self._app_transport = SSLTransport(self._loop, self)
            self._app_transport_created = True
        return self._app_transport
