"""Serving: listening sockets, and the Server that owns them."""

import asyncio
import contextvars
import errno
import itertools
import os
import socket
import sys
from collections.abc import Iterable
from typing import NamedTuple

from everloop.aio.mixins.connecting import (
    bind_error,
    check_plain,
    check_stream,
    check_unix_stream,
)
from everloop.aio.mixins.resolving import resolve
from everloop.aio.mixins.socket_file import inode_of, remove_own, remove_stale
from everloop.aio.stdlib import TransportSocket, logger

# In Python 3.11 it is told at once that a server has been closed, whatever its connections.
WAITS_FOR_CONNECTIONS = sys.version_info >= (3, 12)

# From Python 3.14 on, to cancel serve_forever() closes the server's connections.
CLOSES_CLIENTS = sys.version_info >= (3, 14)


class Service(NamedTuple):
    """What is done for each connection."""

    protocol_factory: object
    context: object
    backlog: int
    tls: dict  # options of TLS, or None


class Server(asyncio.Server):
    """A server, as create_server() and create_unix_server() return it.

    Has all that asyncio's servers have, whatever the version of Python.
    """

    def __init__(self, loop, sockets, service, paths):
        """paths: what to unlink when it is closed: inode by path of a Unix socket."""
        self._loop = loop
        self._sockets = sockets
        self._service = service
        self._paths = paths
        # Not the transports: one that is dropped is to be told of as such.
        self._connected = set()
        # Futures of wait_closed(); None once closed and without connections.
        self._waiters = []
        self._serving = False
        # By asyncio's name, which websockets' servers look for.
        self._serving_forever_fut = None

    def __repr__(self):
        return f"<{type(self).__name__} sockets={self.sockets!r}>"

    def get_loop(self):
        """The loop that it is of."""
        return self._loop

    def is_serving(self):
        """Whether it accepts connections."""
        return self._serving

    @property
    def sockets(self):
        """What it listens on: socket-like objects, none once closed."""
        return tuple(TransportSocket(sock) for sock in self._sockets or ())

    @property
    def _ssl_context(self):
        # Programs ask whether a server has TLS by this name, for there is no public one.
        return self._service.tls and self._service.tls["sslcontext"]

    @property
    def _active_count(self):
        return len(self._connected)

    def close(self):
        """Accept no more. Connections that there are go on."""
        self._loop._check_own_thread()
        sockets, self._sockets = self._sockets, None
        if sockets is None:
            return
        self._serving = False
        for sock in sockets:
            self._loop._stop_serving(sock)
        remove_own(self._paths)
        if self._serving_forever_fut is not None and not self._serving_forever_fut.done():
            self._serving_forever_fut.cancel()
            self._serving_forever_fut = None
        self._tell_closed()

    def close_clients(self):
        """Close all connections, after what is to be sent."""
        for transport in self._clients:
            transport.close()

    def abort_clients(self):
        """Close all connections at once."""
        for transport in self._clients:
            transport.abort()

    async def start_serving(self):
        """Accept connections; nothing if it does."""
        self._start()
        await asyncio.sleep(0)

    async def serve_forever(self):
        """Accept connections until cancelled: that closes the server.

        Raises RuntimeError if it is closed or somebody else waits here.
        """
        if self._serving_forever_fut is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._sockets is None:
            raise RuntimeError(f"server {self!r} is closed")
        self._start()
        self._serving_forever_fut = self._loop.create_future()
        try:
            await self._serving_forever_fut
        except asyncio.CancelledError:
            try:
                self.close()
                if CLOSES_CLIENTS:
                    self.close_clients()
                await self.wait_closed()
            finally:
                raise
        finally:
            self._serving_forever_fut = None

    async def wait_closed(self):
        """Wait until it is closed and the last of its connections has ended.

        On Python 3.11 not for connections, if it is closed.
        """
        if self._waiters is None or (self._sockets is None and not WAITS_FOR_CONNECTIONS):
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _start(self):
        if self._serving:
            return
        self._serving = True
        for sock in self._sockets:
            sock.listen(self._service.backlog)
            self._loop._start_serving(sock, self)

    @property
    def _clients(self):
        # By asyncio's name; a connection that is lost already has no transport here.
        transports = map(self._loop._transport_references.get, self._connected)
        return [transport for known in transports if known and (transport := known())]

    def _attach(self, fd):
        """There is a connection more. Raises RuntimeError if the server has been closed."""
        if self._sockets is None:
            raise RuntimeError("the server has been closed")
        self._connected.add(fd)

    def _detach(self, fd):
        """There is a connection less."""
        self._connected.discard(fd)
        if self._sockets is None:
            self._tell_closed()

    def _tell_closed(self):
        if self._connected or self._waiters is None:
            return
        waiters, self._waiters = self._waiters, None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Serving:
    """The part of EventLoop that makes servers."""

    async def create_server(
        self,
        protocol_factory,
        host=None,
        port=None,
        *,
        family=socket.AF_UNSPEC,
        flags=socket.AI_PASSIVE,
        sock=None,
        backlog=100,
        ssl=None,
        reuse_address=None,
        reuse_port=None,
        keep_alive=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
        start_serving=True,
        context=None,
    ):
        """Serve connections to a host (or several) and a port, or to a listening socket.

        context: the contextvars.Context that each connection gets a copy of; the current
        one if None. The other arguments are those of asyncio's documentation.
        Returns the Server.

        Raises OSError if no address can be bound to, ValueError for arguments that
        exclude each other.
        """
        tls = tls_options(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if sock is not None:
            check_plain(sock)
        if host is not None or port is not None:
            if sock is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            options = stream_options(reuse_address, keep_alive)
            infos = await self._resolve_hosts(hosts_of(host), port, family, flags)
            sockets = self._bind_all(infos, options, reuse_port)
        elif sock is None:
            raise ValueError("Neither host/port nor sock were specified")
        else:
            check_stream(sock)
            sockets = [sock]
        service = Service(protocol_factory, context, backlog, tls)
        return await self._serve(sockets, service, {}, start_serving)

    async def create_unix_server(
        self,
        protocol_factory,
        path=None,
        *,
        sock=None,
        backlog=100,
        ssl=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
        start_serving=True,
        cleanup_socket=sys.version_info >= (3, 13),
        context=None,
    ):
        """The same as `create_server` for the path of a Unix socket.

        cleanup_socket: whether the path goes when the server is closed, unless another
        socket is there by then. By default from Python 3.13 on.
        """
        tls = tls_options(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = bind_path(os.fspath(path))
        elif sock is None:
            raise ValueError("path was not specified, and no sock specified")
        else:
            check_unix_stream(sock)
        paths = inode_of(sock.getsockname()) if cleanup_socket else {}
        service = Service(protocol_factory, context, backlog, tls)
        return await self._serve([sock], service, paths, start_serving)

    async def _serve(self, sockets, service, paths, start_serving):
        if service.context is None:
            service = service._replace(context=contextvars.copy_context())
        for sock in sockets:
            sock.setblocking(False)
        server = Server(self, sockets, service, paths)
        if start_serving:
            await server.start_serving()
        if self._debug:
            logger.info("%r is serving", server)
        return server

    # Sockets

    async def _resolve_hosts(self, hosts, port, family, flags):
        """The addresses of all, each once."""
        found = await asyncio.gather(
            *(
                resolve(self, (host, port), socket.SOCK_STREAM, family=family, flags=flags)
                for host in hosts
            )
        )
        for host, infos in zip(hosts, found, strict=True):
            if not infos:
                raise OSError(f"getaddrinfo({host!r}) returned empty list")
        return [*dict.fromkeys(map(tuple, itertools.chain.from_iterable(found)))]

    def _bind_all(self, infos, options, reuse_port):
        """A socket for each address that the system has."""
        sockets = []
        try:
            for info in infos:
                sock = self._open(info)
                if sock is None:
                    continue
                sockets.append(sock)
                set_options(sock, info[0], options, reuse_port)
                if not self._bind(sock, info[4]):
                    sockets.pop()
            if not sockets:
                addresses = [info[4] for info in infos]
                error = OSError(f"could not bind on any address out of {addresses!r}")
                error.errno = errno.EADDRNOTAVAIL
                raise error
        except BaseException:
            for sock in sockets:
                sock.close()
            raise
        return sockets

    def _open(self, info):
        """A socket, or None if the system knows no such kind."""
        family, kind, proto = info[:3]
        try:
            return socket.socket(family, kind, proto)
        except OSError:
            if self._debug:
                logger.warning(
                    "create_server() failed to create socket.socket(%r, %r, %r)",
                    family,
                    kind,
                    proto,
                    exc_info=True,
                )
            return None

    def _bind(self, sock, address):
        """False, and closed, if the system has not got the address."""
        try:
            sock.bind(address)
        except OSError as error:
            told = bind_error(error, address)
            if error.errno != errno.EADDRNOTAVAIL:
                raise told from None
            sock.close()
            if self._debug:
                logger.warning(told.strerror)
            return False
        return True


def hosts_of(host):
    if host == "":
        return [None]
    if isinstance(host, str) or not isinstance(host, Iterable):
        return [host]
    return [*host]


def tls_options(ssl, handshake_timeout, shutdown_timeout):
    """None without TLS."""
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    if ssl is None:
        if handshake_timeout is not None:
            raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
        if shutdown_timeout is not None:
            raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")
        return None
    return {
        "sslcontext": ssl,
        "ssl_handshake_timeout": handshake_timeout,
        "ssl_shutdown_timeout": shutdown_timeout,
    }


def stream_options(reuse_address, keep_alive):
    options = []
    if reuse_address is None or reuse_address:
        options.append((socket.SOL_SOCKET, socket.SO_REUSEADDR))
    if keep_alive:
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    return options


def set_options(sock, family, options, reuse_port):
    for level, option in options:
        sock.setsockopt(level, option, True)
    # Linux refuses it for other families from 6.12.9 on.
    if reuse_port and family in (socket.AF_INET, socket.AF_INET6):
        share_port(sock)
    # IPv4 has a socket of its own.
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)


def share_port(sock):
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("reuse_port not supported by socket module")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        raise ValueError(
            "reuse_port not supported by socket module, SO_REUSEPORT defined but not implemented."
        ) from None


def bind_path(path):
    """A Unix socket at a path, where one that is left over goes."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        remove_stale(path)
        sock.bind(path)
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
    except BaseException:
        sock.close()
        raise
    return sock
