"""Listener: accepts the connections of a listening socket."""

import cython
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo, prepare
from cython.cimports.everloop.aio.descriptors.watching import descriptor_of
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.stream import StreamTransport, accepted_stream
from cython.cimports.everloop.constants import EV_READ
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.engine.inline import enter_loop_of
from cython.cimports.everloop.sys.socket import (
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    accept4,
    sockaddr,
    sockaddr_storage,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.libc.errno import (
    EAGAIN,
    ECONNABORTED,
    EINTR,
    EMFILE,
    ENFILE,
    ENOBUFS,
    ENOMEM,
    errno,
)
from cython.cimports.posix.unistd import close

from everloop.aio.stdlib import TransportSocket
from everloop.aio.transports.tls import FastSSLProtocol

# Seconds until a server without descriptors or memory tries again.
RETRY_DELAY = 1.0


@cython.final
@cython.cclass
class Listener(ServedIo):
    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, revents: cython.int) -> cython.int:
        """Accept what waits, but no more at once than the backlog holds."""
        left: cython.int = self.backlog
        while left > 0 and self.active:
            if not self.accept_one():
                break
            left -= 1
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def accept_one(self) -> cython.int:
        """Accept a connection; returns 0 if there is none."""
        accepted: Accepted = Accepted.__new__(Accepted)
        accepted.peer.length = cython.sizeof(sockaddr_storage)
        accepted.fd = accept4(
            self.fd,
            cython.cast(cython.pointer[sockaddr], cython.address(accepted.peer.storage)),
            cython.address(accepted.peer.length),
            SOCK_NONBLOCK | SOCK_CLOEXEC,
        )
        if accepted.fd < 0:
            return self.accept_failed(errno)
        accepted.listener = self
        loop: Carrying = self.loop
        context: object = self.context.copy()
        loop.soon(accepted.set_up, (context,), context)
        return 1

    def make_protocol(self):
        """For a new connection; one of TLS that leads to the application's."""
        protocol: object = self.factory()
        if self.tls is None:
            return protocol
        loop: Carrying = self.loop
        waiter: object = None
        if loop.debug_mode:
            waiter = loop.create_future()
            waiter.add_done_callback(self.handshake_ended)
        return FastSSLProtocol(loop, protocol, waiter=waiter, server_side=True, **self.tls)

    def handshake_ended(self, waiter):
        """In debug mode: report a connection that came to nothing."""
        if not waiter.cancelled() and waiter.exception() is not None:
            self.report("Error on transport creation for incoming connection", waiter.exception())

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def accept_failed(self, error: cython.int) -> cython.int:
        """Nothing there, or something that a busy server has to live through."""
        if error == EAGAIN:
            return 0
        if error == EINTR or error == ECONNABORTED:
            return 1
        failure: object = system_error(error)
        if error in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
            # The connection stays in the queue: trying at once would be for ever.
            self.end()
            self.report("socket.accept() out of system resource", failure)
            self.loop.call_later(RETRY_DELAY, self.resume)
            return 0
        self.report("socket.accept() failed", failure)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refused(self, error: cython.int) -> cython.int:
        self.report("A listening socket can't be watched: its server ends", system_error(error))
        return self.give_up()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def give_up(self) -> cython.int:
        """It can't be listened to: the server must not look as if it served."""
        loop: Carrying = self.loop
        self.end()
        loop.listeners.pop(self.fd, None)
        if self.server is not None:
            self.server.close()
        return 0

    def resume(self):
        """Try again, unless the server has been closed meanwhile."""
        section: Section
        enter_loop_of(cython.address(section), self)
        loop: Carrying = self.loop
        if loop is not None and loop.listeners.get(self.fd) is self:
            self.begin()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report(self, message: str, error: object) -> cython.int:
        self.loop.call_exception_handler(
            {"message": message, "exception": error, "socket": TransportSocket(self.sock)}
        )
        return 0


@cython.freelist(64)
@cython.final
@cython.cclass
class Accepted:
    """A connection that has no transport yet, and owns its descriptor until then.

    It gets one in the turn after that in which it was accepted, and in the next its
    protocol is told: those are asyncio's turns, and peers that talk first are heard then.
    """

    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    def set_up(self, context):
        section: Section
        listener: Listener = self.listener
        enter_loop_of(cython.address(section), listener)
        if not listener.server.is_serving():
            return
        loop: Carrying = listener.loop
        transport: StreamTransport
        try:
            transport = accepted_stream(
                loop,
                self.fd,
                listener.family,
                listener.make_protocol(),
                listener.server,
                context,
                cython.address(self.peer),
            )
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            listener.report("Error on transport creation for incoming connection", error)
            return
        self.fd = -1
        loop.soon(transport._begin, (None,), context)


@cython.cfunc
def new_listener(loop: Carrying, sock: object, server: object) -> Listener:
    """For a socket that listens. server: everloop's, whose service it renders."""
    service: object = server._service
    self: Listener = Listener.__new__(Listener)
    prepare(self, loop, descriptor_of(sock), EV_READ)
    self.sock = sock
    self.server = server
    self.factory = service.protocol_factory
    self.context = service.context
    self.tls = service.tls
    self.backlog = max(service.backlog, 1)
    self.family = sock.family
    return self
