"""SocketOwner: the descriptor of a transport, its socket object and its server.

Invariants: fd is open exactly as long as it is not -1, and whoever sets it to -1 has
closed it or given it away; the socket object is made when somebody asks for it, and
closes the descriptor then; names are objects once somebody has asked for them; a server
knows the transport by its descriptor, from own() until it is detached, which comes before
the descriptor is closed and its number somebody else's.
"""

import socket
import weakref

import cython
from cython.cimports.everloop.aio.transports.address import keep_name, name_object
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.aio.transports.protocol_calls import ProtocolCalls, enter_loop_by
from cython.cimports.everloop.sys.socket import (
    getsockname,
    sockaddr,
    sockaddr_storage,
    socklen_t,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.posix.unistd import close

from everloop.aio.stdlib import TransportSocket


@cython.cclass
class SocketOwner(ProtocolCalls):
    """The part of a transport that knows its socket."""

    def __cinit__(self):
        self.fd = -1

    def get_extra_info(self, name, default=None):
        """About the connection: 'socket', 'sockname', 'peername', and what else was given."""
        section: Section
        enter_loop_by(cython.address(section), self)
        extra: dict = self.known()
        if name not in extra:
            found: object = self.find_out(name)
            if found is NotImplemented:
                return default
            extra[name] = found
        return extra[name]

    @property
    def _extra(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        for name in ("socket", "sockname", "peername"):
            self.get_extra_info(name)
        return self.extra

    @property
    def _sock(self):
        section: Section
        enter_loop_by(cython.address(section), self)
        return self.socket_object() if self.fd >= 0 else None

    @property
    def _sock_fd(self):
        return self.fd

    # Steps

    @cython.cfunc
    def known(self) -> dict:
        if self.extra is None:
            self.extra = {}
        return self.extra

    @cython.cfunc
    def find_out(self, name: object) -> object:
        """What has not been asked for yet; NotImplemented if there is no such thing."""
        if name == "socket":
            return TransportSocket(self.socket_object())
        if name == "sockname" and self.fd >= 0:
            return name_of(self.socket_object().getsockname)
        if name == "sockname" and self.own_name.length:
            return name_object(cython.address(self.own_name))
        if name == "peername" and self.peer_name.length:
            return name_object(cython.address(self.peer_name))
        return NotImplemented

    @cython.cfunc
    def socket_object(self) -> object:
        if self.fd < 0:
            return closed_socket(self.family)
        if self.sock is None:
            self.sock = socket.socket(self.family, socket.SOCK_STREAM, fileno=self.fd)
            self.sock.setblocking(False)
        return self.sock

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def own(self, loop: Carrying, fd: cython.int, family: cython.int, server: object) -> cython.int:
        """Take over a descriptor that is open."""
        if server is not None:
            server._attach(fd)
            self.server = server
        self.family = family
        self.fd = fd
        loop.transports[fd] = weakref.ref(self)
        loop.transports_made += 1
        return 0


@cython.cfunc
def closed_socket(family: cython.int) -> object:
    """What the socket of a closed transport looks like."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.close()
    return sock


@cython.cfunc
@cython.exceptval(-1, check=False)
def keep_own_name(self: SocketOwner) -> cython.int:
    """It is to be had as long as the socket is open only."""
    name: sockaddr_storage
    length: socklen_t = cython.sizeof(sockaddr_storage)
    if self.extra is not None and "sockname" in self.extra:
        return 0
    if getsockname(
        self.fd,
        cython.cast(cython.pointer[sockaddr], cython.address(name)),
        cython.address(length),
    ):
        return 0
    if not keep_name(cython.address(self.own_name), cython.address(name), length):
        self.known()["sockname"] = name_of(self.socket_object().getsockname)
    return 0


@cython.cfunc
def name_of(get_name: object) -> object:
    try:
        return get_name()
    except OSError:
        return None


@cython.cfunc
@cython.exceptval(-1, check=False)
def close_socket(self: SocketOwner) -> cython.int:
    if self.fd < 0:
        return 0
    self.loop.transports.pop(self.fd, None)
    keep_own_name(self)
    if self.sock is not None:
        self.sock.close()
        self.sock = None
    else:
        close(self.fd)
    self.fd = -1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def detach(self: SocketOwner) -> cython.int:
    """The server has a connection less."""
    server: object = self.server
    self.server = None
    if server is not None:
        server._detach(self.fd)
    return 0
