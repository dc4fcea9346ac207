"""How TLS connections end, seen from a peer that uses blocking sockets in a thread."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest

from .helpers import PATIENCE, Recorder


class Peer:
    """Runs a function with a connected TLS socket in a thread; ``seen`` is what it returned."""

    def __init__(self, certificate, address, talk):
        self.arguments = certificate, address, talk
        self.go_on = threading.Event()
        self.seen = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        certificate, address, talk = self.arguments
        context = ssl.create_default_context(cafile=certificate)
        plain = socket.create_connection(address, PATIENCE)
        with context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as sock:
            try:
                self.seen = talk(self, sock)
            except OSError as error:
                self.seen = error


@contextlib.asynccontextmanager
async def served(certificate, talk, **options):
    """A server's end of a TLS connection, as its protocol, and the peer."""
    loop = asyncio.get_running_loop()
    made = loop.create_future()

    class Accepted(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            made.set_result(self)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await loop.create_server(Accepted, "127.0.0.1", 0, ssl=context, **options)
    peer = Peer(certificate, server.sockets[0].getsockname(), talk)
    try:
        protocol = await made
        yield protocol, peer
        await protocol.gets("lost")
        await loop.run_in_executor(None, peer.thread.join, PATIENCE)
        assert not peer.thread.is_alive()
    finally:
        server.close()


def send_and_close(peer, sock):
    peer.go_on.wait(PATIENCE)
    sock.sendall(b"data")
    sock.unwrap()


def test_end_while_paused(run, certificate):
    """It is told when reading goes on, after what came before."""

    async def main():
        async with served(certificate, send_and_close) as (protocol, peer):
            protocol.transport.pause_reading()
            peer.go_on.set()
            await asyncio.sleep(0.05)
            assert protocol.calls == ["made"]
            protocol.transport.resume_reading()
            await protocol.gets("eof")
            assert protocol.data == b"data"
        assert protocol.calls == ["made", "data", "eof", "lost"]

    run(main())


def send_and_wait(size):
    def talk(peer, sock):
        sock.sendall(b"x" * size)
        return sock.recv(100)

    return talk


@pytest.mark.parametrize("size", [1, 100_000, 5_000_000])
@pytest.mark.parametrize("options", [{}, {"ssl_shutdown_timeout": PATIENCE}])
def test_close_while_paused(run, certificate, size, options):
    """Unread data, also more than is buffered, does not keep the peer from the end."""

    async def main():
        async with served(certificate, send_and_wait(size), **options) as (protocol, peer):
            protocol.transport.pause_reading()
            await asyncio.sleep(0.05)
            protocol.transport.close()
        assert peer.seen == b""
        assert protocol.error is None

    run(main())


def end_plainly_and_wait(peer, sock):
    """A FIN without close_notify; then wait for the other side's."""
    sock.sendall(b"data")
    peer.go_on.wait(PATIENCE)
    socket.socket.shutdown(sock, socket.SHUT_WR)
    return ssl.SSLSocket.read(sock, 100)


def test_plain_end_then_close(run, certificate):
    """The peer's stream is over before we close, and it waits for our close_notify."""

    async def main():
        async with served(certificate, end_plainly_and_wait) as (protocol, peer):
            protocol.transport.pause_reading()
            peer.go_on.set()
            await asyncio.sleep(0.05)
            protocol.transport.close()
        assert peer.seen == b""

    run(main())


def be_silent(peer, sock):
    peer.go_on.wait(PATIENCE)


@pytest.mark.parametrize("paused", [False, True])
def test_silent_peer(run, certificate, paused):
    async def main():
        options = {"ssl_shutdown_timeout": 0.05}
        async with served(certificate, be_silent, **options) as (protocol, peer):
            if paused:
                protocol.transport.pause_reading()
            protocol.transport.close()
            await protocol.gets("lost")
            peer.go_on.set()
        assert isinstance(protocol.error, TimeoutError)

    run(main())


def take_nothing(peer, sock):
    socket.socket.shutdown(sock, socket.SHUT_WR)
    peer.go_on.wait(PATIENCE)


def test_peer_that_takes_nothing(run, certificate):
    """It has ended its stream, and what we have to send is never all sent."""

    async def main():
        options = {"ssl_shutdown_timeout": 0.2}
        async with served(certificate, take_nothing, **options) as (protocol, peer):
            protocol.transport.write(b"x" * 20_000_000)
            await protocol.gets("lost")
            peer.go_on.set()
        assert isinstance(protocol.error, TimeoutError)

    run(main())


def never_listen(peer, sock):
    while True:
        sock.sendall(bytes(100_000))


def test_peer_that_never_listens(run, certificate):
    """It goes on sending as if nothing had been said: that is not waited for."""

    async def main():
        options = {"ssl_shutdown_timeout": PATIENCE}
        async with served(certificate, never_listen, **options) as (protocol, peer):
            await protocol.gets("data")
            protocol.transport.close()
            await protocol.gets("lost")
        assert isinstance(peer.seen, OSError)

    run(main())
