"""The sock_*() methods: what is done at once, what waits, and what is cancelled."""

import asyncio
import contextlib
import errno
import os
import socket

import pytest

from .helpers import reset, tcp_pair, unix_pair


@pytest.fixture
def ends():
    """Two connected sockets that do not block."""
    pair = tcp_pair()
    for each in pair:
        each.setblocking(False)
    yield pair
    for each in pair:
        each.close()


def test_recv(loop, run, ends):
    async def main():
        ends[1].send(b"12345")
        assert await loop.sock_recv(ends[0], 3) == b"123"
        assert await loop.sock_recv(ends[0], 3) == b"45"
        waiting = asyncio.ensure_future(loop.sock_recv(ends[0], 3))
        await asyncio.sleep(0.001)
        assert not waiting.done()
        ends[1].send(b"6")
        assert await waiting == b"6"
        ends[1].close()
        assert await loop.sock_recv(ends[0], 3) == b""

    run(main())


@pytest.mark.parametrize("room", [bytearray(10), memoryview(bytearray(10))[2:8]])
def test_recv_into(loop, run, ends, room):
    async def main():
        ends[1].send(b"abc")
        assert await loop.sock_recv_into(ends[0], room) == 3
        assert bytes(room[:3]) == b"abc"
        waiting = asyncio.ensure_future(loop.sock_recv_into(ends[0], room))
        await asyncio.sleep(0.001)
        ends[1].send(b"defgh")
        assert await waiting == 5 and bytes(room[:5]) == b"defgh"

    run(main())


def test_sendall(loop, run, ends):
    async def main():
        data = os.urandom(5_000_000)
        for sent in data, bytearray(data), memoryview(data):
            sending = asyncio.ensure_future(loop.sock_sendall(ends[0], sent))
            got = bytearray()
            while len(got) < len(data):
                got += await loop.sock_recv(ends[1], 1 << 20)
            assert await sending is None and got == data
        await loop.sock_sendall(ends[0], b"")

    run(main())


def test_accept_and_connect(loop, run):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            accepting = asyncio.ensure_future(loop.sock_accept(listening))
            await asyncio.sleep(0)
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, listening.getsockname())
                connection, address = await accepting
                with connection:
                    assert address == client.getsockname()
                    assert not connection.getblocking()
                    assert type(connection) is socket.socket

    run(main())


def test_connect_to_nobody(loop, run):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
        with socket.socket() as client:
            client.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await loop.sock_connect(client, address)

    run(main())


@pytest.mark.parametrize("what", ["recv", "recv_into", "sendall"])
def test_resets(loop, run, ends, what):
    async def main():
        calls = {
            "recv": lambda: loop.sock_recv(ends[0], 1),
            "recv_into": lambda: loop.sock_recv_into(ends[0], bytearray(1)),
            "sendall": lambda: loop.sock_sendall(ends[0], bytes(20_000_000)),
        }
        waiting = asyncio.ensure_future(calls[what]())
        await asyncio.sleep(0.001)
        reset(ends[1])
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await waiting

    run(main())


@pytest.mark.parametrize("what", ["recv", "recv_into", "accept", "sendall"])
def test_cancelled(loop, run, ends, what):
    """Nothing is taken or watched any more after that."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            calls = {
                "recv": lambda: loop.sock_recv(ends[0], 1),
                "recv_into": lambda: loop.sock_recv_into(ends[0], bytearray(1)),
                "sendall": lambda: loop.sock_sendall(ends[0], bytes(20_000_000)),
                "accept": lambda: loop.sock_accept(listening),
            }
            waiting = asyncio.ensure_future(calls[what]())
            await asyncio.sleep(0.001)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            assert not loop.remove_reader(ends[0]) and not loop.remove_writer(ends[0])
            ends[1].send(b"x")
            assert await loop.sock_recv(ends[0], 10) == b"x"

    run(main())


def test_cancelled_when_data_has_come(loop, run, ends):
    """In the same pass: what was not returned is still there for the next."""

    async def main():
        waiting = asyncio.ensure_future(loop.sock_recv(ends[0], 10))
        await asyncio.sleep(0.001)
        ends[1].send(b"data")
        waiting.cancel()
        await asyncio.wait([waiting])
        assert await asyncio.wait_for(loop.sock_recv(ends[0], 10), 1) == b"data"

    run(main())


def test_reading_and_writing_at_once(loop, run, ends):
    async def main():
        reading = asyncio.ensure_future(loop.sock_recv(ends[0], 10))
        writing = asyncio.ensure_future(loop.sock_sendall(ends[0], bytes(3_000_000)))
        await asyncio.sleep(0.001)
        ends[1].send(b"data")
        assert await reading == b"data"
        got = 0
        while got < 3_000_000:
            got += len(await loop.sock_recv(ends[1], 1 << 20))
        await writing

    run(main())


def test_datagrams(loop, run):
    async def main():
        one, other = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        with one, other:
            for each in one, other:
                each.setblocking(False)
                each.bind(("127.0.0.1", 0))
            waiting = asyncio.ensure_future(loop.sock_recvfrom(other, 100))
            await asyncio.sleep(0)
            assert await loop.sock_sendto(one, b"hello", other.getsockname()) == 5
            assert await waiting == (b"hello", one.getsockname())
            room = bytearray(10)
            await loop.sock_sendto(one, b"again", other.getsockname())
            assert await loop.sock_recvfrom_into(other, room) == (5, one.getsockname())

    run(main())


def test_sendfile(loop, run, ends, tmp_path):
    async def main():
        data = os.urandom(2_000_000)
        (tmp_path / "file").write_bytes(data)
        with open(tmp_path / "file", "rb") as file:
            sending = asyncio.ensure_future(loop.sock_sendfile(ends[0], file))
            got = bytearray()
            while len(got) < len(data):
                got += await loop.sock_recv(ends[1], 1 << 20)
            assert await sending == len(data) and got == data

    run(main())


def test_blocking_sockets_are_refused_in_debug_mode(loop, run):
    async def main():
        one, other = unix_pair()
        with one, other:
            for call in (
                lambda: loop.sock_recv(one, 1),
                lambda: loop.sock_recv_into(one, bytearray(1)),
                lambda: loop.sock_sendall(one, b"x"),
                lambda: loop.sock_accept(one),
                lambda: loop.sock_connect(one, "/nowhere"),
            ):
                with pytest.raises(ValueError, match="must be non-blocking"):
                    await call()

    loop.set_debug(True)
    loop.slow_callback_duration = 1000
    run(main())


def test_sockets_of_transports_are_refused(loop, run, ends):
    async def main():
        one, other = unix_pair()
        one.setblocking(False)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        with pytest.raises(RuntimeError, match="is used by transport"):
            await asyncio.wait_for(loop.sock_recv(one, 1), 1)
        transport.abort()
        await asyncio.sleep(0.001)
        other.close()

    run(main())


@pytest.mark.parametrize("closed_by", ["close", "detach"])
def test_sockets_that_are_closed_already(loop, run, closed_by):
    async def main():
        one, other = unix_pair()
        for each in one, other:
            each.setblocking(False)
        fd = one.detach() if closed_by == "detach" else one.close()
        for call in (
            lambda: loop.sock_recv(one, 1),
            lambda: loop.sock_sendall(one, b"x"),
            lambda: loop.sock_accept(one),
        ):
            with pytest.raises((OSError, ValueError)):
                await call()
        if fd is not None:
            os.close(fd)
        other.close()

    run(main())


def test_bad_arguments(loop, run, ends):
    async def main():
        for call in (
            lambda: loop.sock_recv(ends[0], "10"),
            lambda: loop.sock_recv_into(ends[0], b"read only"),
            lambda: loop.sock_sendall(ends[0], "text"),
        ):
            with pytest.raises(TypeError):
                await call()
        with pytest.raises(ValueError):
            await loop.sock_recv(ends[0], -1)

    run(main())


WAITING = {
    "sock_recv": lambda loop, sock: loop.sock_recv(sock, 100),
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(100)),
    "sock_sendall": lambda loop, sock: loop.sock_sendall(sock, bytes(10_000_000)),
}


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("name", WAITING)
def test_closed_while_an_operation_waits(loop, run, name, reused):
    """It is told, and another socket that gets the number is left alone."""

    async def main():
        one, other = unix_pair()
        one.setblocking(False)
        waiting = asyncio.ensure_future(WAITING[name](loop, one))
        await asyncio.sleep(0.01)
        number = one.fileno()
        one.close()
        socks = [other]
        if reused:
            socks += unix_pair()
            assert socks[1].fileno() == number
            socks[2].send(b"data")
        with pytest.raises(OSError) as caught:
            await waiting
        assert caught.value.errno == errno.EBADF
        if reused:
            socks[1].setblocking(False)
            assert await loop.sock_recv(socks[1], 100) == b"data"
        for sock in socks:
            sock.close()

    run(main())


def test_quiet_socket_gets_the_number(loop, run):
    """Nothing happens on it that could tell the one who waits."""

    async def main():
        one, other = unix_pair()
        one.setblocking(False)
        waiting = asyncio.ensure_future(loop.sock_recv(one, 100))
        await asyncio.sleep(0.01)
        one.close()
        with other, contextlib.ExitStack() as stack:
            for sock in unix_pair():
                stack.enter_context(sock)
            with pytest.raises(OSError):
                await waiting

    run(main())


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_nothing_is_left_of_an_operation(loop, run, how):
    async def main():
        one, other = unix_pair()
        one.setblocking(False)
        with one, other:
            for count in range(3):
                waiting = asyncio.ensure_future(loop.sock_recv(one, 100))
                if how == "cancelled":
                    await asyncio.sleep(0)
                    waiting.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await waiting
                else:
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(waiting, 0.001)
                other.send(b"%d" % count)
                assert await loop.sock_recv(one, 100) == b"%d" % count

    run(main())
