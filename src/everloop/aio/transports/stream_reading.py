"""StreamReading: the side of a stream transport that reads.

Invariants: one recv() a look, so that all connections get their turn; what has been
received is with the protocol before the call returns, and in no buffer of the
transport's. Large pieces are read right into the bytes object that the protocol gets.
"""

import cython
from cython.cimports.cpython.buffer import PyBuffer_Release
from cython.cimports.cpython.bytes import (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.descriptors.operation import get_room
from cython.cimports.everloop.aio.descriptors.watching import SCRATCH
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.protocol_calls import enter
from cython.cimports.everloop.aio.transports.stream_writing import StreamWriting
from cython.cimports.everloop.aio.transports.tls import SSLCore
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.sys.python import PyContext_Exit, set_bytes_size
from cython.cimports.everloop.sys.socket import MSG_DONTWAIT, recv
from cython.cimports.everloop.sys.threads import owned_alone
from cython.cimports.libc.errno import EAGAIN, EINTR, errno


@cython.cclass
class StreamReading(StreamWriting):
    """The part of a stream transport that reads."""

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
        self.loop.received += count
        return self.hand_over(PyBytes_FromStringAndSize(scratch, count))

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_large(self) -> cython.int:
        """Read right into the bytes object that the protocol gets.

        The loop takes it back if the protocol keeps no reference; if it does, less than
        half of its memory is unused.
        """
        loop: Carrying = self.loop
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
        loop.received += count
        if count == size < SCRATCH:
            return self.read_rest(room)
        self.last_read = count
        if count < size // 2:
            loop.spare = room
            return self.hand_over(PyBytes_FromStringAndSize(PyBytes_AS_STRING(room), count))
        set_bytes_size(cython.cast(cython.pointer[PyObject], room), count)
        self.hand_over(room)
        if owned_alone(cython.cast(cython.pointer[PyObject], room)) and loop.spare is None:
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
            self.loop.received += count
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
        self.loop.received += count
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
            get_room(room, cython.address(view))
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
        self.loop.received += count
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
