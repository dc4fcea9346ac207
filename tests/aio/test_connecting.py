"""Connecting: from names to connections."""

import asyncio
import contextlib
import contextvars
import gc
import os
import socket
import ssl
import sys
import weakref

import pytest

from everloop.aio.mixins.resolving import interleave, numeric

from .helpers import Recorder, tcp_pair, unix_pair

VARIABLE = contextvars.ContextVar("VARIABLE", default="none")

STREAM = socket.SOCK_STREAM
FOUR = socket.AF_INET
SIX = socket.AF_INET6
TCP = socket.IPPROTO_TCP


class Witness(Recorder):
    """Keeps the value of VARIABLE in each call."""

    def __init__(self):
        super().__init__()
        self.seen = [VARIABLE.get()]

    def note(self, what):
        self.seen.append(VARIABLE.get())
        super().note(what)


# Addresses


@pytest.mark.parametrize(
    ("address", "family", "expected"),
    [
        (("127.0.0.1", 80), 0, (FOUR, STREAM, TCP, "", ("127.0.0.1", 80))),
        ((b"127.0.0.1", "80"), FOUR, (FOUR, STREAM, TCP, "", ("127.0.0.1", 80))),
        (("127.0.0.1", None), 0, (FOUR, STREAM, TCP, "", ("127.0.0.1", 0))),
        (("::1", b""), 0, (SIX, STREAM, TCP, "", ("::1", 0, 0, 0))),
        (("::1", 1, 2, 3), SIX, (SIX, STREAM, TCP, "", ("::1", 1, 2, 3))),
        (("::1", 1), FOUR, None),
        (("127.0.0.1", "http"), 0, None),
        (("localhost", 80), 0, None),
        (("fe80::1%lo", 80), 0, None),
        ((None, 80), 0, None),
    ],
)
def test_numeric_addresses(address, family, expected):
    assert numeric(address, STREAM, family, 0) == expected


def test_protocols_that_are_not_known():
    assert numeric(("127.0.0.1", 80), STREAM, 0, socket.IPPROTO_ICMP) is None


@pytest.mark.parametrize(
    ("first", "expected"),
    [(1, "4a 6a 4b 6b 4c"), (2, "4a 4b 6a 4c 6b"), (3, "4a 4b 4c 6a 6b"), (9, "4a 4b 4c 6a 6b")],
)
def test_families_take_turns(first, expected):
    infos = ["4a", "4b", "4c", "6a", "6b"]
    assert interleave(infos, first) == expected.split()


# Connections


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.mark.parametrize("delay", [None, 0.01])
def test_an_address_that_refuses_is_followed_by_the_next(loop, run, listening, delay):
    port = listening.getsockname()[1]

    async def getaddrinfo(host, port, **options):
        return [(FOUR, STREAM, TCP, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

    async def main():
        loop.getaddrinfo = getaddrinfo
        transport, protocol = await loop.create_connection(
            Recorder, "somewhere", port, happy_eyeballs_delay=delay
        )
        assert transport.get_extra_info("peername") == ("127.0.0.1", port)
        transport.close()
        await protocol.gets("lost")

    run(main())


@pytest.mark.parametrize("delay", [None, 0.01])
def test_all_errors(loop, run, delay):
    async def getaddrinfo(host, port, **options):
        return [(FOUR, STREAM, TCP, "", (host, 1)) for host in ("127.0.0.2", "127.0.0.1")]

    async def main():
        loop.getaddrinfo = getaddrinfo
        with pytest.raises(ExceptionGroup) as caught:
            await loop.create_connection(
                Recorder, "somewhere", 1, happy_eyeballs_delay=delay, all_errors=True
            )
        assert [type(each) for each in caught.value.exceptions] == [ConnectionRefusedError] * 2
        with pytest.raises(OSError, match=r"Multiple exceptions: .*127\.0\.0\.2.*127\.0\.0\.1"):
            await loop.create_connection(Recorder, "somewhere", 1, happy_eyeballs_delay=delay)

    run(main())


@pytest.mark.parametrize("delay", [None, 0.01])
def test_errors_leave_no_cycles(loop, run, delay):
    if delay is not None and sys.version_info < (3, 14):
        pytest.skip("asyncio's staggered_race() leaves some")

    class Refused(OSError):  # of which there can be weak references
        pass

    async def refuse(sock, address):
        raise Refused("no")

    async def fail():
        loop.sock_connect = refuse
        try:
            await loop.create_connection(
                asyncio.Protocol, "127.0.0.1", 1, happy_eyeballs_delay=delay
            )
        except Refused as error:
            return weakref.ref(error)

    async def main():
        error = await fail()
        assert error() is None

    without_collector(run, main)


def test_local_address(loop, run, listening):
    async def main():
        transport, protocol = await loop.create_connection(
            Recorder, *listening.getsockname(), local_addr=("127.0.0.3", 0)
        )
        assert transport.get_extra_info("sockname")[0] == "127.0.0.3"
        transport.close()
        await protocol.gets("lost")
        with pytest.raises(OSError, match="no matching local address"):
            await loop.create_connection(Recorder, *listening.getsockname(), local_addr=("::1", 0))
        with pytest.raises(OSError, match="error while attempting to bind"):
            await loop.create_connection(
                Recorder, *listening.getsockname(), local_addr=("192.0.2.1", 0)
            )

    run(main())


def fail():
    raise ZeroDivisionError


@pytest.mark.parametrize("make_pair", [tcp_pair, unix_pair])
def test_factory_that_raises(loop, run, make_pair):
    """A socket that was given is still its owner's, as on asyncio, or closed from 3.14 on."""

    async def main():
        for connect in (loop.create_connection, loop.connect_accepted_socket):
            ours, theirs = make_pair()
            with ours, theirs:
                with pytest.raises(ZeroDivisionError):
                    await connect(fail, sock=ours)
                if sys.version_info >= (3, 14):
                    assert ours.fileno() < 0
                    continue
                await use(ours, theirs)

    async def use(ours, theirs):
        transport, protocol = await loop.create_connection(Recorder, sock=ours)
        theirs.sendall(b"data")
        await protocol.receives(b"data")
        transport.close()
        await protocol.gets("lost")

    run(main())


def test_factory_that_raises_once_connected(loop, run):
    """The connection does not stay open, with nobody to close it."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            with pytest.raises(ZeroDivisionError):
                await loop.create_connection(fail, *listening.getsockname())
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.recv(1) == b""

    run(main())


@pytest.mark.parametrize("nothing", [None, 5, object()])
def test_factory_of_what_is_no_protocol(loop, run, nothing):
    """Who asks for the connection is told, as on asyncio."""

    async def main():
        ours, theirs = unix_pair()
        read, write = os.pipe()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with (
            ours,
            theirs,
            datagrams,
            open(read, "rb", 0) as reader,
            open(write, "wb", 0) as writer,
        ):
            for attempt in (
                loop.create_connection(lambda: nothing, sock=ours),
                loop.create_datagram_endpoint(lambda: nothing, sock=datagrams),
                loop.connect_read_pipe(lambda: nothing, reader),
                loop.connect_write_pipe(lambda: nothing, writer),
                loop.subprocess_exec(lambda: nothing, "true"),
            ):
                with pytest.raises(AttributeError, match="connection_made"):
                    await attempt

    run(main())


def test_server_whose_factory_makes_no_protocol(loop, run, handled):
    async def main():
        server = await loop.create_server(lambda: None, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        server.close()

    run(main())
    assert "connection_made" in str(handled[0]["exception"])


@pytest.mark.parametrize(
    "options",
    [
        {"server_hostname": "localhost"},
        {"ssl_handshake_timeout": 1.0},
        {"ssl_shutdown_timeout": 1.0},
        {"ssl": True, "sock": True},
        {"host": "127.0.0.1", "sock": True},
        {},
    ],
)
def test_arguments_that_exclude_each_other(loop, run, options):
    async def main():
        with socket.socket() as sock:
            if "sock" in options:
                options["sock"] = sock
            with pytest.raises(ValueError):
                await loop.create_connection(Recorder, **options)

    run(main())


def test_only_plain_stream_sockets(loop, run):
    async def main():
        with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(ValueError):
            await loop.create_connection(Recorder, sock=sock)
        with socket.socket() as sock, pytest.raises(ValueError):
            await loop.create_unix_connection(Recorder, sock=sock)
        context = ssl.create_default_context()
        with socket.socket() as plain:
            sock = context.wrap_socket(plain, server_hostname="localhost")
            with sock, pytest.raises(TypeError):
                await loop.connect_accepted_socket(Recorder, sock)

    run(main())


# Contexts


@pytest.mark.parametrize("given", [False, True])
def test_callbacks_of_a_connection_share_a_context(loop, run, given):
    """One that was copied when it was made, or that was given."""

    async def main():
        ours, theirs = tcp_pair()
        context = contextvars.copy_context()
        context.run(VARIABLE.set, "given")
        options = {"context": context} if given else {}
        VARIABLE.set("made")
        transport, protocol = await loop.create_connection(Witness, sock=ours, **options)
        VARIABLE.set("later")
        with theirs:
            theirs.send(b"x")
            await protocol.gets("data")
        await protocol.gets("lost")
        # The factory is called by whoever connects.
        assert protocol.seen == ["made"] + ["given" if given else "made"] * 4

    run(main())


# TLS on a connection


def test_start_tls_with_a_client_that_does_not_wait(loop, run, contexts):
    """What it sent may be in the stream's reader by then."""

    async def main():
        ours, theirs = tcp_pair()
        reader, writer = await asyncio.open_connection(sock=ours)
        client = loop.create_task(
            loop.create_connection(
                Recorder, sock=theirs, ssl=contexts[1], server_hostname="localhost"
            )
        )
        while not reader._buffer:
            await asyncio.sleep(0.001)
        # As StreamWriter.start_tls() of a server does.
        protocol = writer.transport.get_protocol()
        transport = await loop.start_tls(writer.transport, protocol, contexts[0], server_side=True)
        _, other = await client
        transport.write(b"hello")
        await other.receives(b"hello")
        transport.close()
        await other.gets("lost")

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio's SSLProtocol leaves some")
def test_failed_start_tls_leaves_no_cycles(loop, run, contexts):
    async def fail():
        ours, theirs = tcp_pair()
        transport, protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
        server = loop.create_task(
            loop.connect_accepted_socket(asyncio.Protocol, theirs, ssl=contexts[0])
        )
        trusting = ssl.create_default_context()
        error = None
        try:
            await loop.start_tls(transport, protocol, trusting, server_hostname="localhost")
        except ssl.SSLCertVerificationError as caught:
            error = weakref.ref(caught)
        with contextlib.suppress(OSError):
            other, _ = await server
            other.close()
        return error

    async def main():
        error = await fail()
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert error() is None

    without_collector(run, main)


def without_collector(run, main):
    gc.collect()
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
