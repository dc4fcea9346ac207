"""DatagramTransport: a datagram socket, as a protocol sees it.

Datagrams are received in batches, recvmmsg(2). They are handed over one by one, and as
soon as one has led to calls of the loop the rest waits until those have been made: what
the protocol sees is what it would see if each was received when its turn came.

A datagram is sent at once. Those that the kernel has no room for are kept, and sent in
batches when it has: sendmmsg(2).
"""

import socket

import cython
from cython.cimports.cpython.bytes import (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.descriptors.watching import SCRATCH
from cython.cimports.everloop.aio.transports.address import Address, address_object, fill_address
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.datagram_batch import BATCH, DatagramBatch
from cython.cimports.everloop.aio.transports.protocol_calls import enter_loop_by, own_thread
from cython.cimports.everloop.aio.transports.transport import (
    SocketTransport,
    as_bytes,
    begin_with_socket,
    check_bytes,
    set_up,
)
from cython.cimports.everloop.engine.failures import propagate, system_error
from cython.cimports.everloop.sys.python import (
    PyContext_CopyCurrent,
    alias_method,
)
from cython.cimports.everloop.sys.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    iovec,
    mmsghdr,
    recvfrom,
    recvmmsg,
    sendmmsg,
    sendto,
    sockaddr,
    sockaddr_storage,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.libc.errno import EAGAIN, EINTR, errno
from cython.cimports.libc.string import memset

from everloop.aio.transports.transport import DatagramFace


@cython.final
@cython.cclass
class DatagramTransport(SocketTransport):
    """A datagram socket; is an asyncio.DatagramTransport as far as isinstance() can tell."""

    def sendto(self, data, addr=None) -> None:
        """Send a datagram, a bytes-like object, to addr, or to the connected peer.

        Errors go to the protocol's error_received(). Raises TypeError for what is not
        bytes-like, ValueError for an address that is not the connected one.
        """
        section: Section
        enter_loop_by(cython.address(section), self)
        own_thread(self)
        check_bytes(data)
        if self.peer is not None:
            if addr is not None and addr != self.peer:
                raise ValueError(f"Invalid address: must be None or {self.peer}")
            addr = None
        if self.lost and (self.peer is not None or self.fd < 0):
            self.lost_write()
            return
        piece: bytes = as_bytes(data)
        raw: object = self.raw(addr)
        if self.lost:
            # As long as the socket is open, so that errors are told.
            self.send_one(piece, raw, addr)
            return
        if self.head == len(self.queue):
            if self.send_one(piece, raw, addr):
                return
            self.watch_writes()
        self.queue.append((piece, raw, addr))
        self.size += PyBytes_GET_SIZE(piece) + HEADER
        self.hold_back()

    @property
    def _address(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.peer

    # Receiving

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def readable(self) -> cython.int:
        if self.held:
            return 0
        if self.family == AF_INET or self.family == AF_INET6:
            return self.receive_batch()
        return self.receive_one() if self.family == AF_UNIX else self.receive_foreign()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def receive_batch(self) -> cython.int:
        """Receive what has come, up to a batch, and hand it over."""
        batch: DatagramBatch = self.loop.take_batch()
        i: cython.int
        for i in range(BATCH):
            batch.messages[i].msg_hdr.msg_namelen = cython.sizeof(sockaddr_storage)
        count: cython.int = recvmmsg(self.fd, batch.messages, BATCH, MSG_DONTWAIT, cython.NULL)
        try:
            if count < 0:
                return self.datagram_error(errno)
            for i in range(count):
                self.loop.received += batch.messages[i].msg_len
            for i in range(count):
                if self.closing:
                    break
                if i and self.loop.ready.count:
                    self.hold_rest(batch, i, count)
                    break
                self.take(
                    cython.cast(cython.p_char, batch.vectors[i].iov_base),
                    batch.messages[i].msg_len,
                    cython.address(batch.names[i]),
                    batch.messages[i].msg_hdr.msg_namelen,
                )
        except BaseException:
            # The loop is interrupted: what else has come is handed over when it goes on.
            self.hold_rest(batch, i + 1, count)
            self.deliver_later()
            raise
        finally:
            self.loop.batch = batch
        return self.deliver_later() if self.held else 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hold_rest(self, batch: DatagramBatch, start: cython.int, count: cython.int) -> cython.int:
        i: cython.int
        for i in range(start, count):
            self.hold(
                cython.cast(cython.p_char, batch.vectors[i].iov_base),
                batch.messages[i].msg_len,
                cython.address(batch.names[i]),
                batch.messages[i].msg_hdr.msg_namelen,
            )
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def receive_one(self) -> cython.int:
        """Receive one of a family whose datagrams may be longer than those of IP."""
        name: sockaddr_storage
        length: cython.uint = cython.sizeof(sockaddr_storage)
        count: cython.Py_ssize_t = recvfrom(
            self.fd,
            self.loop.scratch,
            SCRATCH,
            MSG_DONTWAIT,
            cython.cast(cython.pointer[sockaddr], cython.address(name)),
            cython.address(length),
        )
        if count < 0:
            return self.datagram_error(errno)
        self.loop.received += count
        return self.take(self.loop.scratch, count, cython.address(name), length)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def receive_foreign(self) -> cython.int:
        """Receive one from an address that only the socket module understands."""
        try:
            data, address = self.socket_object().recvfrom(SCRATCH)
        except OSError as error:
            return self.datagram_error(error.errno)
        self.loop.received += len(data)
        return self.deliver(data, address)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take(
        self,
        data: cython.pointer[cython.const[cython.char]],
        size: cython.Py_ssize_t,
        name: cython.pointer[sockaddr_storage],
        length: cython.uint,
    ) -> cython.int:
        """Hand a datagram over, unless there are calls to be made before, or a pause."""
        if self.held or self.paused:
            return self.hold(data, size, name, length)
        piece: bytes = PyBytes_FromStringAndSize(data, size)
        return self.deliver(piece, self.name(name, length))

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hold(
        self,
        data: cython.pointer[cython.const[cython.char]],
        size: cython.Py_ssize_t,
        name: cython.pointer[sockaddr_storage],
        length: cython.uint,
    ) -> cython.int:
        self.held.append((PyBytes_FromStringAndSize(data, size), self.name(name, length)))
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_reads(self) -> cython.int:
        return self.deliver_later() if self.held else SocketTransport.watch_reads(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def deliver_later(self) -> cython.int:
        """Have what is held handed over after the calls that are ready."""
        if not (self.closing or self.paused):
            self.loop.soon(self._deliver_held, (), None)
        return 0

    def _deliver_held(self):
        """Hand over what came with others, and then go on reading."""
        section: Section
        enter_loop_by(cython.address(section), self)
        try:
            while self.held and not (self.closing or self.paused):
                piece, address = self.held.pop(0)
                self.deliver(piece, address)
                if self.loop.ready.count:
                    break
        finally:
            self.watch_reads()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def deliver(self, piece: bytes, address: object) -> cython.int:
        second: cython.pointer[PyObject] = cython.cast(cython.pointer[PyObject], address)
        if self.tell("datagram_received", piece, second) < 0:
            return self.receiver_failed()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def receiver_failed(self) -> cython.int:
        """Report the exception that is set."""
        try:
            propagate()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report("protocol.datagram_received() failed", error)
        return 0

    @cython.cfunc
    def name(self, name: cython.pointer[sockaddr_storage], length: cython.uint) -> object:
        """The address as the socket module gives it."""
        if length == 0:
            return None
        raw: bytes = PyBytes_FromStringAndSize(cython.cast(cython.p_char, name), length)
        known: object = self.names.get(raw)
        if known is not None:
            return known
        address: object = address_object(name, length)
        if address is NotImplemented:
            address = resolved_name(raw)
        if len(self.names) >= NAMES:
            self.names.clear()
            self.raws.clear()
        self.names[raw] = address
        self.raws[address] = raw
        return address

    @cython.cfunc
    def raw(self, address: object) -> object:
        """An address in the kernel's form; None if there is none or the socket module must."""
        if address is None:
            return None
        try:
            known: object = self.raws.get(address)
        except TypeError:
            return None
        if known is not None:
            return known
        form: Address
        if not fill_address(cython.address(form), self.family, address):
            return None
        return PyBytes_FromStringAndSize(
            cython.cast(cython.p_char, cython.address(form.storage)), form.length
        )

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def datagram_error(self, error: cython.int) -> cython.int:
        """Tell the protocol of an error: with datagrams none is fatal."""
        if error == EAGAIN or error == EINTR or self.protocol is None:
            return 0
        return self.tell_error(system_error(error))

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_error(self, error: object) -> cython.int:
        try:
            self.ask(self.protocol.error_received, (error,))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as failure:
            self.report("protocol.error_received() failed", failure)
        return 0

    # Sending

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_one(self, data: bytes, raw: object, address: object) -> cython.int:
        """Send a datagram now; returns 0 if the kernel has no room for it."""
        if raw is None and address is not None:
            return self.send_named(data, address)
        name: cython.pointer[sockaddr] = cython.NULL
        length: cython.uint = 0
        if raw is not None:
            name = cython.cast(cython.pointer[sockaddr], PyBytes_AS_STRING(cython.cast(bytes, raw)))
            length = cython.cast(cython.uint, PyBytes_GET_SIZE(cython.cast(bytes, raw)))
        sent: cython.Py_ssize_t = sendto(
            self.fd,
            PyBytes_AS_STRING(data),
            PyBytes_GET_SIZE(data),
            MSG_DONTWAIT | MSG_NOSIGNAL,
            name,
            length,
        )
        if sent >= 0:
            self.loop.sent += sent
            return 1
        if errno == EAGAIN or errno == EINTR:
            return 0
        self.datagram_error(errno)
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_queue(self) -> cython.int:
        """Send what the kernel takes, and wait for it to take more if something is left."""
        while self.head < len(self.queue):
            entry: tuple = self.queue[self.head]
            if entry[1] is None and entry[2] is not None:
                if self.send_named(entry[0], entry[2]) == 0:
                    break
                self.took(1)
            elif self.send_batch() == 0:
                break
        if self.head == len(self.queue):
            return self.drop()
        self.watch_writes()
        return self.hold_back()

    @cython.cfunc
    @cython.exceptval(-2, check=False)
    def send_batch(self) -> cython.int:
        """Send up to a batch from the head of the queue; returns 0 if the kernel is full."""
        vectors: iovec[16]
        messages: mmsghdr[16]
        count: cython.int = 0
        place: cython.Py_ssize_t = self.head
        memset(messages, 0, cython.sizeof(messages))
        while count < BATCH and place < len(self.queue):
            entry: tuple = self.queue[place]
            data: bytes = entry[0]
            raw: bytes = entry[1]
            if raw is not None:
                messages[count].msg_hdr.msg_name = PyBytes_AS_STRING(raw)
                messages[count].msg_hdr.msg_namelen = PyBytes_GET_SIZE(raw)
            elif entry[2] is not None:
                break
            vectors[count].iov_base = PyBytes_AS_STRING(data)
            vectors[count].iov_len = PyBytes_GET_SIZE(data)
            messages[count].msg_hdr.msg_iov = cython.address(vectors[count])
            messages[count].msg_hdr.msg_iovlen = 1
            count += 1
            place += 1
        sent: cython.int = sendmmsg(self.fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent >= 0:
            for count in range(sent):
                self.loop.sent += messages[count].msg_len
            self.took(sent)
            return 1
        if errno == EAGAIN or errno == EINTR:
            return 0
        failure: cython.int = errno
        self.took(1)
        self.datagram_error(failure)
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_named(self, data: object, address: object) -> cython.int:
        """Send to an address that only the socket module understands; 0 if the kernel is full."""
        try:
            self.loop.sent += self.socket_object().sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self.tell_error(error)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.fail(error, "Fatal write error on datagram transport")
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def took(self, count: cython.Py_ssize_t) -> cython.int:
        """The first ones of the queue are done with."""
        while count and self.head < len(self.queue):
            entry: tuple = self.queue[self.head]
            self.size -= PyBytes_GET_SIZE(cython.cast(bytes, entry[0])) + HEADER
            self.queue[self.head] = None
            self.head += 1
            count -= 1
        if self.head > 1024 and self.head * 2 > len(self.queue):
            del self.queue[: self.head]
            self.head = 0
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def writable(self) -> cython.int:
        if not self.lost:
            self.send_queue()
        self.let_go_on()
        if self.head == len(self.queue):
            if self.writer is not None:
                self.writer.end()
            if self.closing and not self.lost:
                self.lose_at_once()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def kept(self) -> cython.Py_ssize_t:
        return self.size

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def drop(self) -> cython.int:
        self.queue.clear()
        self.head = 0
        self.size = 0
        return 0


alias_method(DatagramTransport, "__class__", property(lambda self: DatagramFace))


@cython.cfunc
def resolved_name(raw: bytes) -> object:
    """A link-local IPv6 address: getnameinfo(3) knows the name of its interface."""
    scope: cython.int = int.from_bytes(raw[24:28], "little")
    host: str = socket.inet_ntop(AF_INET6, raw[8:24])
    port: cython.int = int.from_bytes(raw[2:4], "big")
    flow: cython.int = int.from_bytes(raw[4:8], "big")
    try:
        interface = socket.if_indextoname(scope)
    except OSError:
        interface = str(scope)
    return (f"{host}%{interface}", port, flow, scope)


@cython.cfunc
def new_datagram(
    loop: Carrying, sock: object, protocol: object, peer: object, waiter: object, extra: object
) -> DatagramTransport:
    """A transport for a datagram socket, which starts in the next round of the loop."""
    self: DatagramTransport = DatagramTransport.__new__(DatagramTransport)
    context: object = PyContext_CopyCurrent()
    self.queue = []
    self.held = []
    self.names = {}
    self.raws = {}
    set_up(self, loop, sock.fileno(), sock.family, protocol, None, context)
    begin_with_socket(self, sock, extra, waiter)
    self.peer = peer
    if self.peer is None and self.extra["peername"]:
        self.peer = self.extra["peername"]
    return self
