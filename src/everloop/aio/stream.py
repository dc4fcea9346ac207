"""StreamTransport: a connected stream socket, TCP or Unix, as a protocol sees it."""

import cython
from cython.cimports.cpython.buffer import (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cython.cimports.cpython.bytes import (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.address import Address, address_object
from cython.cimports.everloop.aio.core import SCRATCH, Core
from cython.cimports.everloop.aio.tls import SSLCore
from cython.cimports.everloop.aio.transport import (
    SocketTransport,
    as_bytes,
    begin_with_socket,
    check_bytes,
    detach,
    enter,
    name_of,
    set_up,
)
from cython.cimports.everloop.aio.write_buffer import VECTORS, WriteBuffer
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.sys.python import (
    Py_REFCNT,
    PyContext_CopyCurrent,
    PyContext_Exit,
    alias_method,
    set_bytes_size,
)
from cython.cimports.everloop.sys.socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SHUT_WR,
    TCP_NODELAY,
    iovec,
    msghdr,
    recv,
    send,
    sendmsg,
    setsockopt,
    shutdown,
)
from cython.cimports.libc.errno import EAGAIN, EINTR, errno
from cython.cimports.libc.string import memset

from everloop.aio.stdlib import SendfileMode
from everloop.aio.transport import StreamFace


@cython.final
@cython.cclass
class StreamTransport(SocketTransport):
    """A connected stream socket; is an asyncio.Transport as far as isinstance() can tell.

    Methods are those of asyncio's transports, which its documentation describes.
    """

    # Writing

    def write(self, data) -> None:
        """Send data, a bytes-like object, as soon as the peer takes it.

        Does not block: what can't be sent is kept. A protocol that gets too far ahead
        is told by pause_writing(). Raises TypeError for what is not bytes-like,
        RuntimeError after `write_eof`.
        """
        self.check_writable("write")
        if type(data) is bytes:
            self.give(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), data)
            return
        check_bytes(data)
        view: Py_buffer
        PyObject_GetBuffer(data, cython.address(view), PyBUF_SIMPLE)
        try:
            self.give(cython.cast(cython.p_char, view.buf), view.len, None)
        finally:
            PyBuffer_Release(cython.address(view))

    def writelines(self, list_of_data) -> None:
        """Send each of an iterable of bytes-like objects, in one system call if possible."""
        self.check_writable("writelines")
        pieces = [as_bytes(piece) for piece in list_of_data]
        if not pieces:
            return
        if self.lost:
            self.lost_write()
            return
        idle: cython.bint = self.kept() == 0
        for piece in pieces:
            if piece:
                self.keep(piece)
        if idle and self.kept():
            self.send_kept()
        else:
            self.hold_back()

    def write_eof(self) -> None:
        """Say that nothing more will be written, after what is kept has been sent.

        Raises OSError if the connection is over already, without this side having read that.
        """
        if self.closing or self.eof:
            return
        self.eof = True
        if self.kept() == 0:
            self.shut_writes()

    def can_write_eof(self) -> bool:
        """True: a stream socket's directions end one by one."""
        return True

    # What the standard library's part of the loop asks for

    _start_tls_compatible = True

    _sendfile_compatible = SendfileMode.TRY_NATIVE

    @property
    def _eof(self):
        return self.eof

    @property
    def _empty_waiter(self):
        return self.empty_waiter

    def _make_empty_waiter(self):
        if self.empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self.empty_waiter = self.loop.create_future()
        if self.kept() == 0:
            self.empty_waiter.set_result(None)
        return self.empty_waiter

    def _reset_empty_waiter(self):
        self.empty_waiter = None

    # Steps

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def readable(self) -> cython.int:
        if self.lost:
            return 0
        if self.tls is not None:
            return self.read_records()
        return self.read_into() if self.buffered else self.read_bytes()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_bytes(self) -> cython.int:
        """Read what there is and hand it to the protocol."""
        if self.last_read >= LARGE:
            return self.read_large()
        scratch: cython.p_char = self.loop.scratch
        count: cython.Py_ssize_t = recv(self.fd, scratch, SCRATCH, MSG_DONTWAIT)
        if count <= 0:
            return self.end_of_file() if count == 0 else self.read_failed()
        self.last_read = count
        return self.hand_over(PyBytes_FromStringAndSize(scratch, count))

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_large(self) -> cython.int:
        """Read right into the bytes object that the protocol gets.

        The loop takes it back if the protocol keeps no reference; if it does, less than
        half of its memory is unused.
        """
        loop: Core = self.loop
        room: bytes = loop.spare
        size: cython.Py_ssize_t = loop.spare_size
        loop.spare = None
        if room is None or size < self.last_read:
            size = min(max(2 * self.last_read, 4 * cython.cast(cython.Py_ssize_t, LARGE)), SCRATCH)
            room = PyBytes_FromStringAndSize(cython.NULL, size)
        loop.spare_size = size
        count: cython.Py_ssize_t = recv(self.fd, PyBytes_AS_STRING(room), size, MSG_DONTWAIT)
        if count <= 0:
            loop.spare = room
            return self.end_of_file() if count == 0 else self.read_failed()
        if count == size < SCRATCH:
            return self.read_rest(room)
        self.last_read = count
        if count < size // 2:
            loop.spare = room
            return self.hand_over(PyBytes_FromStringAndSize(PyBytes_AS_STRING(room), count))
        set_bytes_size(cython.cast(cython.pointer[PyObject], room), count)
        self.hand_over(room)
        if Py_REFCNT(cython.cast(cython.pointer[PyObject], room)) == 1 and loop.spare is None:
            set_bytes_size(cython.cast(cython.pointer[PyObject], room), size)
            loop.spare = room
            loop.spare_size = size
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_rest(self, data: bytes) -> cython.int:
        """There may be more than was expected: the protocol gets it in one piece."""
        scratch: cython.p_char = self.loop.scratch
        room: cython.Py_ssize_t = SCRATCH - PyBytes_GET_SIZE(data)
        count: cython.Py_ssize_t = recv(self.fd, scratch, room, MSG_DONTWAIT)
        # An end or an error shows again at the next look.
        if count > 0:
            data = data + PyBytes_FromStringAndSize(scratch, count)
        self.last_read = PyBytes_GET_SIZE(data)
        return self.hand_over(data)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hand_over(self, data: bytes) -> cython.int:
        if self.tell("data_received", data) < 0:
            return self.protocol_failed("Fatal error: protocol.data_received() call failed.")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_records(self) -> cython.int:
        """Read what there is and hand it to TLS."""
        scratch: cython.p_char = self.loop.scratch
        count: cython.Py_ssize_t = recv(self.fd, scratch, SCRATCH, MSG_DONTWAIT)
        if count <= 0:
            return self.end_of_file() if count == 0 else self.read_failed()
        # Owned here: the protocol may be replaced meanwhile.
        tls: SSLCore = self.tls
        context: object = enter(self.context)
        if context is None:
            return self.protocol_failed("Fatal error: the transport's context is in use")
        try:
            tls.take_in(scratch, count)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            return self.fail(error, "Fatal error: protocol.buffer_updated() call failed.")
        finally:
            PyContext_Exit(context)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_into(self) -> cython.int:
        """Read into the buffer that the protocol gives."""
        view: Py_buffer
        try:
            room: object = self.ask(self.protocol.get_buffer, (-1,))
            if not len(room):
                raise RuntimeError("get_buffer() returned an empty buffer")
            PyObject_GetBuffer(room, cython.address(view), PyBUF_WRITABLE)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            return self.fail(error, "Fatal error: protocol.get_buffer() call failed.")
        count: cython.Py_ssize_t = recv(self.fd, view.buf, view.len, MSG_DONTWAIT)
        failure: cython.int = errno
        PyBuffer_Release(cython.address(view))
        if count < 0:
            cython.address(errno)[0] = failure
            return self.read_failed()
        if count == 0:
            return self.end_of_file()
        if self.tell("buffer_updated", count) < 0:
            return self.protocol_failed("Fatal error: protocol.buffer_updated() call failed.")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_failed(self) -> cython.int:
        if errno == EAGAIN or errno == EINTR:
            return 0
        return self.fail(system_error(errno), "Fatal read error on socket transport")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def end_of_file(self) -> cython.int:
        """The peer has ended its direction; the protocol decides about the other one."""
        try:
            keep_open: cython.bint = bool(self.ask(self.protocol.eof_received, ()))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            return self.fail(error, "Fatal error: protocol.eof_received() call failed.")
        if keep_open:
            if self.reader is not None:
                self.reader.end()
        else:
            self.close()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check_writable(self, method: str) -> cython.int:
        if self.eof:
            raise RuntimeError(f"Cannot call {method}() after write_eof()")
        if self.empty_waiter is not None:
            raise RuntimeError(f"unable to {method}; sendfile is in progress")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def give(
        self,
        data: cython.pointer[cython.const[cython.char]],
        size: cython.Py_ssize_t,
        owner: object,
    ) -> cython.int:
        """Send data, and keep what the kernel does not take.

        owner: the bytes object that it is, or None.
        """
        if size == 0:
            return 0
        if self.lost:
            return self.lost_write()
        idle: cython.bint = self.kept() == 0
        done: cython.Py_ssize_t = 0
        if idle:
            done = send(self.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            if done == size:
                return 0
            if done < 0:
                if errno != EAGAIN and errno != EINTR:
                    return self.write_failed()
                done = 0
        if done == 0 and owner is not None:
            self.keep(owner)
        else:
            self.keep(PyBytes_FromStringAndSize(data + done, size - done))
        if idle:
            self.watch_writes()
        return self.hold_back()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def keep(self, data: bytes) -> cython.int:
        if self.buffer is None:
            self.buffer = WriteBuffer()
        return self.buffer.add(data)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_kept(self) -> cython.int:
        """Send what is kept, and wait for the kernel to take more if something is left."""
        if self.send_some() < 0:
            return self.write_failed()
        if self.buffer.size:
            self.watch_writes()
            return self.hold_back()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def send_some(self) -> cython.int:
        """Send of what is kept as much as the kernel takes; returns -1 with errno set."""
        vector: iovec[VECTORS]
        message: msghdr
        done: cython.Py_ssize_t
        size: cython.size_t
        count: cython.int
        while self.buffer.size:
            count = self.buffer.vectors(vector)
            if count == 1:
                size = vector[0].iov_len
                done = send(self.fd, vector[0].iov_base, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            else:
                memset(cython.address(message), 0, cython.sizeof(msghdr))
                message.msg_iov = vector
                message.msg_iovlen = count
                size = 0
                while count:
                    count -= 1
                    size += vector[count].iov_len
                done = sendmsg(self.fd, cython.address(message), MSG_DONTWAIT | MSG_NOSIGNAL)
            if done < 0:
                return 0 if errno == EAGAIN or errno == EINTR else -1
            self.buffer.advance(done)
            if cython.cast(cython.size_t, done) < size:
                return 0
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def writable(self) -> cython.int:
        """The kernel takes more."""
        if self.lost or self.buffer is None:
            if self.writer is not None:
                self.writer.end()
            return 0
        if self.send_some() < 0:
            return self.write_failed()
        self.let_go_on()
        if self.buffer is None or self.buffer.size:
            return 0
        if self.writer is not None:
            self.writer.end()
        if self.empty_waiter is not None and not self.empty_waiter.done():
            self.empty_waiter.set_result(None)
        if self.closing:
            if not self.lost:
                self.lose_at_once()
        elif self.eof:
            self.shut_writes()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def write_failed(self) -> cython.int:
        error: object = system_error(errno)
        if self.writer is not None:
            self.writer.end()
        self.drop()
        self.fail(error, "Fatal write error on socket transport")
        if self.empty_waiter is not None and not self.empty_waiter.done():
            self.empty_waiter.set_exception(error)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def shut_writes(self) -> cython.int:
        """Send the end of the stream."""
        if shutdown(self.fd, SHUT_WR) < 0:
            raise system_error(errno)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def give_up(self) -> cython.int:
        """Forget the descriptor, which somebody else closes."""
        if self.sock is not None:
            self.sock.detach()
        self.loop.transports.pop(self.fd, None)
        self.fd = -1
        return detach(self)

    @cython.cfunc
    @cython.exceptval(check=False)
    def kept(self) -> cython.Py_ssize_t:
        return self.buffer.size if self.buffer is not None else 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def drop(self) -> cython.int:
        if self.buffer is not None:
            self.buffer.clear()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def finish(self) -> cython.int:
        waiter: object = self.empty_waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionError("Connection is closed by peer"))
        return 0


alias_method(StreamTransport, "__class__", property(lambda self: StreamFace))


@cython.cfunc
def new_stream(
    loop: Core,
    sock: object,
    protocol: object,
    waiter: object,
    extra: object,
    server: object,
    context: object,
) -> StreamTransport:
    """A transport for a connected socket, which starts in the next round of the loop.

    context: of the protocol's callbacks; a copy of the current one if None.
    """
    if context is None:
        context = PyContext_CopyCurrent()
    self: StreamTransport = made(loop, sock.fileno(), sock.family, protocol, server, context)
    begin_with_socket(self, sock, extra, waiter)
    return self


@cython.cfunc
def accepted_stream(
    loop: Core,
    fd: cython.int,
    family: cython.int,
    protocol: object,
    server: object,
    context: object,
    peer: cython.pointer[Address],
) -> StreamTransport:
    """A transport for a connection that a server has accepted. It owns fd."""
    name: object = address_object(cython.address(peer.storage), peer.length)
    self: StreamTransport = made(loop, fd, family, protocol, server, context)
    try:
        if name is NotImplemented:
            name = name_of(self.socket_object().getpeername)
    except BaseException:
        # The caller closes fd, once.
        self.give_up()
        raise
    self.extra["peername"] = name
    return self


@cython.cfunc
def made(
    loop: Core,
    fd: cython.int,
    family: cython.int,
    protocol: object,
    server: object,
    context: object,
) -> StreamTransport:
    self: StreamTransport = StreamTransport.__new__(StreamTransport)
    set_up(self, loop, fd, family, protocol, server, context)
    one: cython.int = 1
    if family == AF_INET or family == AF_INET6:
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, cython.address(one), cython.sizeof(cython.int))
    return self
