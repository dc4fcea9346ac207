"""The servers of the asyncio rows, for any event loop with asyncio's interface.

Each is written as such servers commonly are. The sockets are bound here, so that the load can begin
to connect before an event loop has started.
"""

import asyncio
import socket
import tempfile
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from benchmarks.certificate import server_context
from benchmarks.outcomes import Unavailable

# Enough for all connections at once: what does not fit would be tried again after a second.
_BACKLOG = 4096
_READ = 65536
# Seconds for a server to notice that it and its connections are closed.
_FAREWELL = 0.02

_HTTP_PARTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n",
    b"Hello, world!",
)
HTTP_REPLY = b"".join(_HTTP_PARTS)

Stop = Callable[[], object]


@dataclass(frozen=True)
class Service:
    """A server: how it is bound, how an event loop runs it, and perhaps how C does."""

    bind: Callable[[], AbstractContextManager[socket.socket]]
    start: Callable[[AbstractEventLoop, socket.socket], Awaitable[Stop]]
    # Serves at the first descriptor until the second is readable.
    floor: Callable[[ModuleType, int, int], object] | None = None

    def run(self, loop: AbstractEventLoop, bound: socket.socket, done: int) -> None:
        """Serve on the bound socket until the descriptor `done` is readable."""
        with closing(loop):
            try:
                stop = loop.run_until_complete(self.start(loop, bound))
            except NotImplementedError:
                raise Unavailable("not implemented") from None

            def finish() -> None:
                loop.remove_reader(done)
                loop.stop()

            loop.add_reader(done, finish)
            loop.run_forever()
            stop()
            loop.run_until_complete(asyncio.sleep(_FAREWELL))


@contextmanager
def _bound_tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as bound:
        bound.setblocking(False)
        yield bound


@contextmanager
def _bound_unix() -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{directory}/socket")
        bound.listen(_BACKLOG)
        bound.setblocking(False)
        yield bound


@contextmanager
def _bound_udp() -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        yield bound


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    __slots__ = ("transport",)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class _EchoDatagrams(asyncio.DatagramProtocol):
    """Sends back what comes."""

    __slots__ = ("transport",)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


def _hello(parts: tuple[bytes, ...], parser: Callable[[object], Any]) -> type[asyncio.Protocol]:
    """The protocol of a web server with one page, over `httptools.HttpRequestParser`.

    parts: what it answers, a write each.
    """

    class Hello(asyncio.Protocol):
        __slots__ = ("headers", "parser", "transport", "url")

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.parser = parser(self)

        def connection_lost(self, _error: Exception | None) -> None:
            self.parser = None  # it refers to this

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

        def on_message_begin(self) -> None:
            self.headers: list[tuple[bytes, bytes]] = []

        def on_url(self, url: bytes) -> None:
            self.url = url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers.append((name, value))

        def on_message_complete(self) -> None:
            for part in parts:
                self.transport.write(part)

    return Hello


async def start_protocol(
    factory: Callable[[], asyncio.Protocol],
    loop: AbstractEventLoop,
    bound: socket.socket,
    **options: Any,
) -> Stop:
    """Serve TCP with a protocol for each connection."""
    server = await loop.create_server(factory, sock=bound, backlog=_BACKLOG, **options)
    return server.close


async def _start_tls(loop: AbstractEventLoop, bound: socket.socket) -> Stop:
    return await start_protocol(Echo, loop, bound, ssl=server_context())


async def _start_http(
    parts: tuple[bytes, ...], loop: AbstractEventLoop, bound: socket.socket
) -> Stop:
    try:
        parser = import_module("httptools").HttpRequestParser
    except ImportError as error:
        raise Unavailable(str(error)) from None
    return await start_protocol(_hello(parts, parser), loop, bound)


async def _start_unix(loop: AbstractEventLoop, bound: socket.socket) -> Stop:
    server = await loop.create_unix_server(Echo, sock=bound, backlog=_BACKLOG)
    return server.close


async def _start_udp(loop: AbstractEventLoop, bound: socket.socket) -> Stop:
    transport, _ = await loop.create_datagram_endpoint(_EchoDatagrams, sock=bound)
    return transport.close


async def _start_streams(loop: AbstractEventLoop, bound: socket.socket) -> Stop:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_READ):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, sock=bound, backlog=_BACKLOG)
    return server.close


async def _start_sock(loop: AbstractEventLoop, bound: socket.socket) -> Stop:
    tasks = set()

    async def echo(connection: socket.socket) -> None:
        with connection:
            while data := await loop.sock_recv(connection, _READ):
                await loop.sock_sendall(connection, data)

    async def accept() -> None:
        while True:
            connection, _ = await loop.sock_accept(bound)
            task = loop.create_task(echo(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return loop.create_task(accept()).cancel


def _floor_streams(reply: bytes | None, servers: ModuleType, bound: int, done: int) -> None:
    servers.streams(bound, done, reply)


def _floor_datagrams(servers: ModuleType, bound: int, done: int) -> None:
    servers.datagrams(bound, done)


PROTOCOL = Service(_bound_tcp, partial(start_protocol, Echo), partial(_floor_streams, None))
UNIX = Service(_bound_unix, _start_unix, partial(_floor_streams, None))
UDP = Service(_bound_udp, _start_udp, _floor_datagrams)
STREAMS = Service(_bound_tcp, _start_streams)
SOCK = Service(_bound_tcp, _start_sock)
TLS = Service(_bound_tcp, _start_tls)
HTTP = Service(_bound_tcp, partial(_start_http, (HTTP_REPLY,)), partial(_floor_streams, HTTP_REPLY))
HTTP_PARTS = Service(_bound_tcp, partial(_start_http, _HTTP_PARTS))
