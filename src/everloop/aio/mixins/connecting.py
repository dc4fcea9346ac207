"""Connecting: how a socket becomes connected, and a connected one a transport."""

import contextlib
import contextvars
import os
import socket
import ssl as tls
import sys

from everloop.aio.mixins.resolving import interleave as take_turns
from everloop.aio.mixins.resolving import resolve
from everloop.aio.stdlib import logger, staggered, take_unread
from everloop.aio.transports.tls import FastSSLProtocol

# A socket that was given is its owner's until there is a transport; later Pythons close it
# if there will be none.
CLOSES_GIVEN = sys.version_info >= (3, 14)

# From Python 3.13 on, who can't bind is told the number of the error in its text, too.
NUMBERS_ERRORS = sys.version_info >= (3, 13)


class Connecting:
    """The part of EventLoop that makes connections."""

    async def create_connection(
        self,
        protocol_factory,
        host=None,
        port=None,
        *,
        ssl=None,
        family=0,
        proto=0,
        flags=0,
        sock=None,
        local_addr=None,
        server_hostname=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
        happy_eyeballs_delay=None,
        interleave=None,
        all_errors=False,
        context=None,
    ):
        """Connect to a host and port, or take a connected stream socket.

        context: the contextvars.Context of the protocol's callbacks; a copy of the
        current one if None. The other arguments are those of asyncio's documentation.
        Returns the transport and the protocol.

        Raises OSError (with all_errors an ExceptionGroup of all there were) if no
        address can be connected to, ValueError for arguments that exclude each other.
        """
        check_tls_options(ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        if ssl and server_hostname is None:
            if not host:
                raise ValueError("You must set server_hostname when using ssl without a host")
            server_hostname = host
        if sock is not None:
            check_plain(sock)
        if host is not None or port is not None:
            if sock is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            search = {"family": family, "proto": proto, "flags": flags}
            infos = await self._look_up((host, port), search)
            local = None if local_addr is None else await self._look_up(local_addr, search)
            if interleave is None and happy_eyeballs_delay is not None:
                interleave = 1
            if interleave:
                infos = take_turns(infos, interleave)
            sock = await self._connect_any(infos, local, happy_eyeballs_delay, all_errors)
        elif sock is None:
            raise ValueError("host and port was not specified and no sock specified")
        else:
            check_stream(sock)
        made = await self._make_connection(
            sock,
            protocol_factory,
            ssl,
            context,
            given=host is None and port is None,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        if self._debug:
            logger.debug("connected to %s:%r: (%r, %r)", host, port, *made)
        return made

    async def create_unix_connection(
        self,
        protocol_factory,
        path=None,
        *,
        ssl=None,
        sock=None,
        server_hostname=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
        context=None,
    ):
        """The same as `create_connection` for the path of a Unix socket."""
        check_tls_options(ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        if ssl and server_hostname is None:
            raise ValueError("you have to pass server_hostname when using ssl")
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = await self._connect_path(os.fspath(path))
        elif sock is None:
            raise ValueError("no path and sock were specified")
        else:
            check_unix_stream(sock)
        return await self._make_connection(
            sock,
            protocol_factory,
            ssl,
            context,
            given=path is None,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )

    async def connect_accepted_socket(
        self,
        protocol_factory,
        sock,
        *,
        ssl=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
        context=None,
    ):
        """Have a connection that was accepted elsewhere served by a protocol.

        Returns the transport and the protocol.
        """
        check_stream(sock)
        check_tls_options(ssl, None, ssl_handshake_timeout, ssl_shutdown_timeout)
        check_plain(sock)
        made = await self._make_connection(
            sock,
            protocol_factory,
            ssl,
            context,
            given=True,
            server_side=True,
            server_hostname="",
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        if self._debug:
            logger.debug("%r handled: (%r, %r)", sock, *made)
        return made

    async def start_tls(
        self,
        transport,
        protocol,
        sslcontext,
        *,
        server_side=False,
        server_hostname=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
    ):
        """Go on with TLS on a transport; returns the transport to use from then on.

        Raises TypeError for a transport or context that does not allow it, and what
        makes the handshake fail.
        """
        if not isinstance(sslcontext, tls.SSLContext):
            raise TypeError(
                f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
            )
        if not getattr(transport, "_start_tls_compatible", False):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        waiter = self.create_future()
        layer = FastSSLProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
            call_connection_made=False,
        )
        # Nothing may reach the new protocol before its connection_made().
        transport.pause_reading()
        if server_side:
            # A client that does not wait for an answer has begun already.
            layer.take_early(take_unread(protocol))
        transport.set_protocol(layer)
        begin = self.call_soon(layer.connection_made, transport)
        resume = self.call_soon(transport.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            begin.cancel()
            resume.cancel()
            # It leads to the exception, and that by its traceback to it.
            del waiter
            raise
        return layer._app_transport

    async def _make_connection(
        self, sock, protocol_factory, ssl, context, *, given, server_side=False, **options
    ):
        try:
            sock.setblocking(False)
            if context is None:
                context = contextvars.copy_context()
            protocol = protocol_factory()
            waiter = self.create_future()
            if ssl:
                sslcontext = None if isinstance(ssl, bool) else ssl
                transport = self._make_ssl_transport(
                    sock,
                    protocol,
                    sslcontext,
                    waiter,
                    server_side=server_side,
                    context=context,
                    **options,
                )
            else:
                transport = self._make_socket_transport(sock, protocol, waiter, context=context)
        except BaseException:
            if CLOSES_GIVEN or not given:
                sock.close()
            raise
        try:
            await waiter
        except BaseException:
            transport.close()
            # It leads to the exception, and that by its traceback to it.
            del waiter
            raise
        return transport, protocol

    # Sockets

    async def _look_up(self, address, search):
        infos = await resolve(self, address, socket.SOCK_STREAM, **search)
        if not infos:
            raise OSError("getaddrinfo() returned empty list")
        return infos

    async def _connect_any(self, infos, local, delay, all_errors):
        """A socket that is connected to one of the addresses."""
        errors = []
        attempts = [lambda info=info: self._connect(errors, info, local) for info in infos]
        try:
            if delay is not None:
                sock = (await staggered.staggered_race(attempts, delay, loop=self))[0]
            else:
                sock = await first_success(attempts)
            if sock is None:
                raise_errors([each for attempt in errors for each in attempt], all_errors)
            return sock
        finally:
            # Exceptions lead back here by their tracebacks.
            errors = attempts = None

    async def _connect(self, errors, info, local):
        """Try one address. Adds a list of what went wrong to errors."""
        mine = []
        errors.append(mine)
        family, kind, proto, _, address = info
        sock = None
        try:
            sock = socket.socket(family=family, type=kind, proto=proto)
            sock.setblocking(False)
            if local is not None:
                bind_any(sock, family, local, mine)
            await self.sock_connect(sock, address)
            return sock
        except BaseException as error:
            if isinstance(error, OSError):
                mine.append(error)
            if sock is not None:
                close_quietly(sock)
            raise
        finally:
            del errors, mine

    async def _connect_path(self, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
        try:
            sock.setblocking(False)
            await self.sock_connect(sock, path)
        except BaseException:
            sock.close()
            raise
        return sock


async def first_success(attempts):
    """The socket of the first attempt that does not fail, or None."""
    for attempt in attempts:
        try:
            return await attempt()
        except OSError:
            continue
    return None


def close_quietly(sock):
    """Close, after an error that matters more than another one now."""
    with contextlib.suppress(OSError):
        sock.close()


def bind_any(sock, family, infos, errors):
    """Bind to the first of the local addresses that can be bound to.

    Adds what failed before to errors. Raises OSError if none can.
    """
    mine = []
    for info in infos:
        if info[0] != family:
            continue
        address = info[4]
        try:
            sock.bind(address)
        except OSError as error:
            mine.append(bind_error(error, address))
        else:
            errors += mine
            return
    if not mine:
        raise OSError(f"no matching local address with {family=} found")
    errors += mine[:-1]
    raise mine[-1]


def bind_error(error, address):
    reason = (str(error) if NUMBERS_ERRORS else error.strerror or str(error)).lower()
    return OSError(error.errno, f"error while attempting to bind on address {address!r}: {reason}")


def raise_errors(errors, all_errors):
    """Of an attempt to connect: all of them, or in one what they are."""
    try:
        if not errors:
            raise TimeoutError("create_connection failed")
        if all_errors:
            raise ExceptionGroup("create_connection failed", errors)
        texts = [str(error) for error in errors]
        if len({*texts}) == 1:
            raise errors[0]
        raise OSError(f"Multiple exceptions: {', '.join(texts)}")
    finally:
        del errors


# What arguments have to be


def check_tls_options(ssl, server_hostname, handshake_timeout, shutdown_timeout):
    if ssl:
        return
    if server_hostname is not None:
        raise ValueError("server_hostname is only meaningful with ssl")
    if handshake_timeout is not None:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown_timeout is not None:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")


def check_plain(sock):
    if isinstance(sock, tls.SSLSocket):
        raise TypeError("Socket cannot be of type SSLSocket")


def check_stream(sock):
    # Unix sockets, too, though they have a method of their own.
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")


def check_unix_stream(sock):
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
