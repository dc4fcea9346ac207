"""What sock_recv() and its relatives do: try, and wait if it can't be done yet.

An operation belongs to one call. It is tried at once; if the kernel has nothing for
it, it waits in the loop with a future, and is tried again whenever the descriptor is
ready. Whoever awaits the future ends the operation, however that turns out.
"""

import ssl

import cython
from cython.cimports.cpython.buffer import (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo, prepare
from cython.cimports.everloop.aio.descriptors.watching import SCRATCH, Watching
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.engine.inline import enter_loop_of
from cython.cimports.everloop.sys.socket import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    recv,
    send,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watchers.io import Io
from cython.cimports.libc.errno import EAGAIN, EBADF, EINTR, errno

SSLSocket = ssl.SSLSocket


@cython.cclass
class Operation(ServedIo):
    """The base: `attempt` returns the result, or NotImplemented if it has to wait."""

    @cython.cfunc
    def attempt(self) -> object:
        return NotImplemented

    @property
    def waiting(self):
        """The future to await."""
        return self.future

    def finish(self) -> None:
        """Nobody waits any more."""
        section: Section
        enter_loop_of(cython.address(section), self)
        self.end()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, revents: cython.int) -> cython.int:
        future: object = self.future
        if future.done():
            return self.end()
        if self.was_closed():
            self.end()
            return self.refused(EBADF)
        try:
            result: object = self.attempt()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.end()
            if not future.done():
                future.set_exception(error)
            return 0
        if future.done():
            return self.end()
        if result is not NotImplemented:
            self.end()
            future.set_result(result)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def was_closed(self) -> cython.bint:
        """Whether the program has closed the socket: its number may be another file's."""
        return self.sock.fileno() != self.fd

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refused(self, error: cython.int) -> cython.int:
        if self.future is not None and not self.future.done():
            self.future.set_exception(system_error(error))
        return 0


@cython.final
@cython.cclass
class Receive(Operation):
    @cython.cfunc
    def attempt(self) -> object:
        if self.size > SCRATCH or self.size < 0:
            return self.attempt_large()
        scratch: cython.p_char = cython.cast(Watching, self.loop).scratch
        count: cython.Py_ssize_t = recv(self.fd, scratch, self.size, MSG_DONTWAIT)
        if count < 0:
            return not_yet()
        return PyBytes_FromStringAndSize(scratch, count)

    @cython.cfunc
    def attempt_large(self) -> object:
        try:
            return self.sock.recv(self.size)
        except (BlockingIOError, InterruptedError):
            return NotImplemented


@cython.final
@cython.cclass
class ReceiveInto(Operation):
    @cython.cfunc
    def attempt(self) -> object:
        view: Py_buffer
        get_room(self.room, cython.address(view))
        count: cython.Py_ssize_t = recv(self.fd, view.buf, view.len, MSG_DONTWAIT)
        failure: cython.int = errno
        PyBuffer_Release(cython.address(view))
        if count < 0:
            cython.address(errno)[0] = failure
            return not_yet()
        return count


@cython.final
@cython.cclass
class SendAll(Operation):
    @cython.cfunc
    def attempt(self) -> object:
        view: Py_buffer
        PyObject_GetBuffer(self.data, cython.address(view), PyBUF_SIMPLE)
        count: cython.Py_ssize_t = 0
        if self.done < view.len:
            count = send(
                self.fd,
                cython.cast(cython.p_char, view.buf) + self.done,
                view.len - self.done,
                MSG_DONTWAIT | MSG_NOSIGNAL,
            )
        failure: cython.int = errno
        size: cython.Py_ssize_t = view.len
        PyBuffer_Release(cython.address(view))
        if count < 0:
            cython.address(errno)[0] = failure
            return not_yet()
        self.done += count
        return None if self.done >= size else NotImplemented


@cython.final
@cython.cclass
class Accept(Operation):
    @cython.cfunc
    def attempt(self) -> object:
        try:
            result: object = self.sock.accept()
        except (BlockingIOError, InterruptedError):
            return NotImplemented
        result[0].setblocking(False)
        return result


@cython.cfunc
@cython.exceptval(-1, check=False)
def get_room(room: object, view: cython.pointer[Py_buffer]) -> cython.int:
    """The buffer of what is received into; TypeError, as the socket module, if it is none."""
    try:
        PyObject_GetBuffer(room, view, PyBUF_WRITABLE)
    except BufferError:
        kind = type(room).__name__
        raise TypeError(f"a read-write bytes-like object is required, not {kind}") from None
    return 0


@cython.cfunc
def not_yet() -> object:
    """After a call that failed: NotImplemented if it is worth waiting."""
    if errno == EAGAIN or errno == EINTR:
        return NotImplemented
    raise system_error(errno)


@cython.cfunc
def perform(operation: Operation, loop: Watching, sock: object, events: cython.int) -> object:
    """Try; returns the result, or the operation if it has to be waited for."""
    if isinstance(sock, SSLSocket):
        raise TypeError("Socket cannot be of type SSLSocket")
    if loop.debug_mode and sock.gettimeout() != 0:
        raise ValueError("the socket must be non-blocking")
    operation.sock = sock
    prepare(operation, loop, sock.fileno(), events)
    result: object = operation.attempt()
    if result is not NotImplemented:
        return result
    loop._ensure_fd_no_transport(operation.fd)
    operation.future = loop.create_future()
    operation.begin()
    error: cython.int = loop.tell_at_once(operation)
    if error:
        operation.end()
        raise system_error(error)
    return operation


@cython.cfunc
@cython.exceptval(-1, check=False)
def abandon(loop: Watching, fd: cython.int, events: cython.int) -> cython.bint:
    """Wake those no more that wait for a descriptor. Returns whether there were any."""
    if not loop.descriptors.is_watched(fd):
        return False
    waiting: list = []
    io: cython.pointer[PyObject] = loop.descriptors.slots[fd].head
    while io != cython.NULL:
        if isinstance(cython.cast(object, io), Operation) and cython.cast(Io, io).extra == events:
            waiting.append(cython.cast(object, io))
        io = cython.cast(Io, io).next_on_fd
    operation: Operation
    for operation in waiting:
        operation.end()
    return len(waiting) > 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def refuse_closed(loop: Watching) -> cython.int:
    """Tell those that wait for a socket which has been closed meanwhile."""
    operation: Operation
    for watcher in loop.roster.watchers():
        if isinstance(watcher, Operation):
            operation = watcher
            if operation.was_closed():
                operation.end()
                operation.refused(EBADF)
    return 0
