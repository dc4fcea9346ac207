"""DatagramTransport: UDP and Unix datagrams, sent and received in batches."""

import asyncio
import contextlib
import os
import socket
import struct

import pytest

from .helpers import Recorder, unix_pair

# Of netlink(7): a question for the list of the interfaces.
RTM_GETLINK, NLM_F_REQUEST, NLM_F_DUMP = 18, 1, 0x300


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self):
        self.seen, self.errors, self.calls = [], [], []
        self.told = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def datagram_received(self, data, address):
        self.seen.append((data, address))
        self.told.set()

    def error_received(self, error):
        self.errors.append(error)
        self.told.set()

    def connection_lost(self, error):
        self.calls.append("lost")
        self.told.set()

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")

    until = Recorder.until


@contextlib.asynccontextmanager
async def endpoint(**options):
    options = options or {"local_addr": ("127.0.0.1", 0)}
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Datagrams, **options)
    try:
        yield transport, protocol
    finally:
        transport.abort()
        await protocol.until(lambda: "lost" in protocol.calls)
        await asyncio.sleep(0)


def where(transport):
    return transport.get_extra_info("sockname")


def test_kinds(run):
    async def main():
        async with endpoint() as (transport, protocol):
            assert isinstance(transport, asyncio.DatagramTransport)
            assert isinstance(transport, asyncio.BaseTransport)
            names = {name for name in dir(asyncio.DatagramTransport) if not name.startswith("_")}
            assert names <= set(dir(transport))
            assert protocol.calls == ["made"] and not transport.is_closing()
            assert transport.get_extra_info("socket").type == socket.SOCK_DGRAM

    run(main())


def test_there_and_back(run):
    async def main():
        async with endpoint() as (one, here), endpoint() as (other, there):
            one.sendto(b"hello", where(other))
            await there.until(lambda: there.seen)
            assert there.seen == [(b"hello", where(one))]
            other.sendto(bytearray(b"hello yourself"), there.seen[0][1])
            await here.until(lambda: here.seen)
            assert here.seen == [(b"hello yourself", where(other))]

    run(main())


def test_connected(run):
    async def main():
        async with endpoint() as (one, here), endpoint(remote_addr=where(one)) as (other, _):
            assert other.get_extra_info("peername") == where(one)
            other.sendto(b"1")
            other.sendto(b"2", None)
            other.sendto(b"3", where(one))
            with pytest.raises(ValueError):
                other.sendto(b"4", ("127.0.0.1", 9))
            await here.until(lambda: len(here.seen) == 3)
            assert [data for data, _ in here.seen] == [b"1", b"2", b"3"]

    run(main())


def test_many_at_once_in_order(run):
    """More than a batch, each as it was sent, whatever its size; none is lost on this host."""

    async def main():
        async with endpoint() as (one, _), endpoint() as (other, there):
            sock = other.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            sent = [os.urandom(i * 37 % 1200) for i in range(150)]
            for data in sent:
                one.sendto(data, where(other))
            await there.until(lambda: len(there.seen) == len(sent))
            assert [data for data, _ in there.seen] == sent

    run(main())


@pytest.mark.parametrize("size", [0, 1, 1500, 9000, 65507])
def test_sizes(run, size):
    async def main():
        async with endpoint() as (one, _), endpoint() as (other, there):
            data = os.urandom(size)
            one.sendto(data, where(other))
            await there.until(lambda: there.seen)
            assert there.seen[0][0] == data

    run(main())


def test_too_big(run):
    async def main():
        async with endpoint() as (one, here), endpoint() as (other, there):
            one.sendto(bytes(70_000), where(other))
            await here.until(lambda: here.errors)
            assert isinstance(here.errors[0], OSError)
            one.sendto(b"still", where(other))
            await there.until(lambda: there.seen)

    run(main())


def test_one_bad_datagram_among_good_ones(run):
    async def main():
        async with endpoint() as (one, here), endpoint() as (other, there):
            for i in range(20):
                one.sendto(bytes(70_000) if i == 7 else b"%d" % i, where(other))
            await there.until(lambda: len(there.seen) == 19)
            assert len(here.errors) == 1
            assert [int(data) for data, _ in there.seen] == [i for i in range(20) if i != 7]

    run(main())


def test_nobody_there(run):
    async def main():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            address = sock.getsockname()
        async with endpoint(remote_addr=address) as (one, here):
            one.sendto(b"x")
            await here.until(lambda: here.errors)
            assert isinstance(here.errors[0], ConnectionRefusedError)
            assert here.calls == ["made"]

    run(main())


def test_what_was_sent_may_change(run):
    async def main():
        async with endpoint() as (one, _), endpoint() as (other, there):
            data = bytearray(b"before")
            one.sendto(data, where(other))
            data[:] = b"after!"
            data.clear()
            await there.until(lambda: there.seen)
            assert there.seen[0][0] == b"before"

    run(main())


@pytest.mark.parametrize("bad", ["text", 5, None])
def test_what_is_no_datagram(run, bad):
    async def main():
        async with endpoint() as (one, _):
            with pytest.raises(TypeError):
                one.sendto(bad, where(one))

    run(main())


@pytest.mark.parametrize("bad", [("127.0.0.1",), ("127.0.0.1", "port"), 5])
def test_what_is_no_address(run, handled, bad):
    """Is refused, reported, or told as an error; others go on."""

    async def main():
        async with endpoint() as (one, here):
            with contextlib.suppress(TypeError, ValueError, OSError):
                one.sendto(b"x", bad)
            await asyncio.sleep(0.01)
            if "lost" not in here.calls:
                one.sendto(b"y", where(one))
                await here.until(lambda: here.seen or "lost" in here.calls)

    run(main())


@pytest.mark.parametrize("method", ["datagram_received", "error_received"])
def test_protocol_methods_that_raise(run, handled, method):
    async def main():
        async with endpoint() as (one, here):
            setattr(here, method, lambda *args: 1 / 0)
            try:
                # Where asyncio sends at once, it also raises at once.
                one.sendto(b"x" if method == "datagram_received" else bytes(70_000), where(one))
            except ZeroDivisionError as error:
                handled.append({"exception": error})
            while not handled:
                await asyncio.sleep(0.001)

    run(main())
    assert {type(each["exception"]) for each in handled} == {ZeroDivisionError}


@pytest.mark.parametrize("end", ["close", "abort"])
def test_closing_while_a_batch_is_received(run, end):
    async def main():
        async with endpoint() as (one, _), endpoint() as (other, there):

            def received(data, address):
                there.seen.append(data)
                getattr(other, end)()

            there.datagram_received = received
            for _ in range(20):
                one.sendto(b"x", where(other))
            await there.until(lambda: "lost" in there.calls)
            assert len(there.seen) == 1 and other.is_closing()
            other.sendto(b"late", where(one))

    run(main())


def test_close_sends_what_was_given(run):
    async def main():
        async with endpoint() as (other, there):
            async with endpoint() as (one, here):
                for i in range(5):
                    one.sendto(b"%d" % i, where(other))
                one.close()
                await here.until(lambda: "lost" in here.calls)
            await there.until(lambda: len(there.seen) == 5)

    run(main())


def test_flow_control(run):
    """A Unix datagram socket whose peer does not read makes the sender wait."""

    async def main():
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.setblocking(False)
        one.setblocking(False)
        loop = asyncio.get_running_loop()
        async with endpoint(sock=one) as (transport, here):
            transport.set_write_buffer_limits(high=5000)
            sent = 0
            while "pause" not in here.calls:
                transport.sendto(b"%d" % sent + bytes(900))
                sent += 1
                await asyncio.sleep(0)
            assert transport.get_write_buffer_size() > 5000
            for i in range(sent):
                data = await loop.sock_recv(other, 2000)
                assert data == b"%d" % i + bytes(900)
            await here.until(lambda: "resume" in here.calls or here.told.clear())
            assert transport.get_write_buffer_size() == 0
        other.close()

    run(main())


def test_ipv6(run):
    async def main():
        try:
            async with endpoint(local_addr=("::1", 0)) as (one, here):
                one.sendto(b"x", where(one))
                await here.until(lambda: here.seen)
                assert here.seen == [(b"x", where(one))]
        except OSError:
            pytest.skip("no IPv6 here")

    run(main())


def test_unix_datagrams(run, tmp_path):
    async def main():
        paths = [str(tmp_path / name) for name in ("one", "other")]
        options = [{"local_addr": path, "family": socket.AF_UNIX} for path in paths]
        async with endpoint(**options[0]) as (one, here), endpoint(**options[1]) as (_, there):
            one.sendto(b"hello", paths[1])
            await there.until(lambda: there.seen)
            assert there.seen == [(b"hello", paths[0])]

    run(main())


def test_addresses_of_other_families(loop, run):
    """They are what the socket module gives: here (0, 0) is the kernel."""
    request = struct.pack("=IHHIIB7x", 24, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0)

    async def main():
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM)
        transport, protocol = await loop.create_datagram_endpoint(Datagrams, sock=sock)
        transport.sendto(request, (0, 0))
        await protocol.until(lambda: protocol.seen)
        transport.close()
        await protocol.until(lambda: "lost" in protocol.calls)
        assert {address for _, address in protocol.seen} == {(0, 0)}
        assert not protocol.errors

    run(main())


def test_flooded_endpoint_starves_nobody(run):
    async def main():
        async with endpoint() as (one, here):
            here.datagram_received = lambda data, address: one.sendto(data, where(one))
            for _ in range(10):
                one.sendto(b"x", where(one))
            pair = unix_pair()
            for each in pair:
                each.setblocking(False)
            loop = asyncio.get_running_loop()
            for _ in range(20):
                await asyncio.sleep(0.0005)
                await loop.sock_sendall(pair[0], b"x")
                assert await loop.sock_recv(pair[1], 1) == b"x"
            for each in pair:
                each.close()

    run(main())
