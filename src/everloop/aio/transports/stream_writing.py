"""StreamWriting: the side of a stream transport that writes.

Invariants: bytes leave in the order in which they were written; as long as some are
kept, what is written is kept behind them, and the writer is watched; the end of the
stream is sent after the last of them.
"""

import cython
from cython.cimports.cpython.buffer import PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cython.cimports.cpython.bytes import (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cython.cimports.everloop.aio.transports.protocol_calls import enter_loop_by, own_thread
from cython.cimports.everloop.aio.transports.transport import SocketTransport, as_bytes, check_bytes
from cython.cimports.everloop.aio.transports.write_buffer import VECTORS, WriteBuffer
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.sys.socket import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SHUT_WR,
    iovec,
    msghdr,
    send,
    sendmsg,
    shutdown,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.libc.errno import EAGAIN, EINTR, errno
from cython.cimports.libc.string import memset


@cython.cclass
class StreamWriting(SocketTransport):
    """The part of a stream transport that writes."""

    def write(self, data) -> None:
        """Send data, a bytes-like object, as soon as the peer takes it.

        Does not block: what can't be sent is kept. A protocol that gets too far ahead
        is told by pause_writing(). Raises TypeError for what is not bytes-like,
        RuntimeError after `write_eof`.
        """
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
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
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
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
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        if self.closing or self.eof:
            return
        self.eof = True
        if self.kept() == 0:
            self.shut_writes()

    def can_write_eof(self) -> bool:
        """True: a stream socket's directions end one by one."""
        return True

    # What the standard library's part of the loop asks for

    @property
    def _eof(self):
        return self.eof

    @property
    def _empty_waiter(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.empty_waiter

    def _make_empty_waiter(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        if self.empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self.empty_waiter = self.loop.create_future()
        if self.kept() == 0:
            self.empty_waiter.set_result(None)
        return self.empty_waiter

    def _reset_empty_waiter(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        self.empty_waiter = None

    # Steps

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
                self.loop.sent += size
                return 0
            if done < 0:
                if errno != EAGAIN and errno != EINTR:
                    return self.write_failed()
                done = 0
            self.loop.sent += done
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
            self.loop.sent += done
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
