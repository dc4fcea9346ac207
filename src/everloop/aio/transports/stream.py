"""StreamTransport: a connected stream socket, TCP or Unix, as a protocol sees it."""

import cython
from cython.cimports.everloop.aio.transports.address import Address, keep_name
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.socket_owner import detach, name_of
from cython.cimports.everloop.aio.transports.stream_reading import StreamReading
from cython.cimports.everloop.aio.transports.transport import begin_with_socket, set_up
from cython.cimports.everloop.sys.python import PyContext_CopyCurrent, alias_method
from cython.cimports.everloop.sys.socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    TCP_NODELAY,
    setsockopt,
)

from everloop.aio.stdlib import SendfileMode
from everloop.aio.transports.transport import StreamFace


@cython.final
@cython.cclass
class StreamTransport(StreamReading):
    """A connected stream socket; is an asyncio.Transport as far as isinstance() can tell.

    Methods are those of asyncio's transports, which its documentation describes.
    """

    _start_tls_compatible = True

    _sendfile_compatible = SendfileMode.TRY_NATIVE

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def give_up(self) -> cython.int:
        """Forget the descriptor, which somebody else closes."""
        if self.sock is not None:
            self.sock.detach()
        detach(self)
        self.loop.transports.pop(self.fd, None)
        self.fd = -1
        return 0


alias_method(StreamTransport, "__class__", property(lambda self: StreamFace))


@cython.cfunc
def new_stream(
    loop: Carrying,
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
    loop: Carrying,
    fd: cython.int,
    family: cython.int,
    protocol: object,
    server: object,
    context: object,
    peer: cython.pointer[Address],
) -> StreamTransport:
    """A transport for a connection that a server has accepted. It owns fd."""
    self: StreamTransport = made(loop, fd, family, protocol, server, context)
    if keep_name(cython.address(self.peer_name), cython.address(peer.storage), peer.length):
        return self
    try:
        self.known()["peername"] = name_of(self.socket_object().getpeername)
    except BaseException:
        # The caller closes fd, once.
        self.give_up()
        raise
    return self


@cython.cfunc
def made(
    loop: Carrying,
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
