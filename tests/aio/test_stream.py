"""StreamTransport: what is read, written, held back and lost."""

import asyncio
import contextlib
import gc
import hashlib
import os
import random
import socket
import sys
import weakref

import pytest

from .helpers import (
    Buffered,
    Recorder,
    connected,
    connection,
    received,
    reset,
    small_pair,
    tcp_pair,
    unix_pair,
)

BIG = 8 * 1024 * 1024

each_pair = pytest.mark.parametrize("make_pair", [tcp_pair, unix_pair])
each_kind = pytest.mark.parametrize("kind", [Recorder, Buffered])


def pattern(size):
    return random.Random(size).randbytes(size)


# Reading


@each_pair
@each_kind
def test_data_is_received(run, make_pair, kind):
    async def main():
        async with connection(kind(), make_pair) as here:
            here.peer.send(b"one")
            await here.protocol.receives(b"one")
            here.peer.send(b"two")
            await here.protocol.receives(b"onetwo")

    run(main())


@each_kind
def test_big_data_both_ways(run, kind):
    """At the same time, with a checksum of what arrives."""

    async def main():
        one, other = pattern(BIG), pattern(BIG + 1)
        async with connected(kind(), kind()) as (near, far):
            near.transport.write(one)
            far.transport.write(other)
            await near.until(lambda: len(near.data) >= len(other))
            await far.until(lambda: len(far.data) >= len(one))
            assert digest(near.data) == digest(other) and digest(far.data) == digest(one)

    run(main())


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_paused_reading(run):
    async def main():
        async with connection() as here:
            transport, protocol = here.transport, here.protocol
            assert transport.is_reading()
            transport.pause_reading()
            transport.pause_reading()
            assert not transport.is_reading()
            here.peer.send(b"later")
            await asyncio.sleep(0.01)
            assert not protocol.data
            transport.resume_reading()
            transport.resume_reading()
            assert transport.is_reading()
            await protocol.receives(b"later")

    run(main())


def test_paused_in_connection_made(run):
    class Pausing(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    async def main():
        async with connection(Pausing()) as here:
            here.peer.send(b"data")
            await asyncio.sleep(0.01)
            assert not here.protocol.data and not here.transport.is_reading()
            here.transport.resume_reading()
            await here.protocol.receives(b"data")

    run(main())


def test_paused_in_data_received(run):
    """Nothing more comes, though there is more to read."""

    class Pausing(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async def main():
        async with connection(Pausing(), unix_pair) as here:
            transport, protocol = here.transport, here.protocol
            here.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            data = pattern(600_000)
            sending = asyncio.ensure_future(
                asyncio.get_running_loop().sock_sendall(here.peer, data)
            )
            while len(protocol.data) < len(data):
                seen = protocol.calls.count("data")
                await protocol.until(lambda seen=seen: protocol.calls.count("data") > seen)
                await asyncio.sleep(0)
                assert protocol.calls.count("data") == seen + 1
                transport.resume_reading()
            await sending
            assert protocol.data == data

    run(main())


def test_reading_after_close(run):
    async def main():
        async with connection() as here:
            here.transport.close()
            assert not here.transport.is_reading()
            here.transport.resume_reading()
            here.transport.pause_reading()
            here.peer.send(b"too late")
            await here.protocol.gets("lost")
            assert here.protocol.calls == ["made", "lost"]

    run(main())


def test_protocol_is_exchanged(run):
    async def main():
        async with connection() as here:
            first, second, third = here.protocol, Recorder(), Buffered()
            assert here.transport.get_protocol() is first
            here.peer.send(b"1")
            await first.receives(b"1")
            here.transport.set_protocol(second)
            assert here.transport.get_protocol() is second
            here.peer.send(b"2")
            await second.receives(b"2")
            here.transport.set_protocol(third)
            here.peer.send(b"3")
            await third.receives(b"3")
            here.transport.set_protocol(first)
            assert first.data == b"1"

    run(main())


@pytest.mark.parametrize("bad", [b"", bytes(5), 5, None])
def test_buffers_that_cannot_be_read_into(run, handled, bad):
    class Bad(Buffered):
        def get_buffer(self, sizehint):
            return bad

    async def main():
        async with connection(Bad()) as here:
            here.peer.send(b"data")
            await here.protocol.gets("lost")
            assert here.protocol.error is handled[0]["exception"]
            assert here.protocol.calls == ["made", "lost"]

    run(main())
    assert len(handled) == 1


def test_buffers_can_be_of_any_kind(run):
    class Odd(Buffered):
        def get_buffer(self, sizehint):
            return memoryview(self.buffer)[: 1 + len(self.data) % 3]

    async def main():
        async with connection(Odd()) as here:
            here.peer.send(bytes(range(50)))
            await here.protocol.receives(bytes(range(50)))

    run(main())


def test_buffer_that_is_dropped_while_it_is_filled(run):
    class Dropping(Buffered):
        def get_buffer(self, sizehint):
            self.buffer = bytearray(10)
            return memoryview(self.buffer)

    async def main():
        async with connection(Dropping()) as here:
            here.peer.send(b"data")
            await here.protocol.receives(b"data")
            here.protocol.buffer.clear()  # no view of it is left

    run(main())


# Writing


@each_pair
def test_written_data_arrives(run, make_pair):
    async def main():
        async with connection(make_pair=make_pair) as here:
            pieces = [b"bytes", bytearray(b"bytearray"), memoryview(b"view"), b"", bytearray()]
            for piece in pieces:
                here.transport.write(piece)
            assert await received(here.peer, 18) == b"bytesbytearrayview"

    run(main())


@pytest.mark.parametrize("size", [10, 100_000, BIG])
@pytest.mark.parametrize("how", ["write", "writelines"])
def test_what_was_written_may_change_at_once(run, size, how):
    async def main():
        async with connection(make_pair=small_pair) as here:
            data = pattern(size)
            buffer = bytearray(data)
            if how == "write":
                here.transport.write(buffer)
            else:
                here.transport.writelines([memoryview(buffer)[:5], memoryview(buffer)[5:]])
            buffer[:] = bytes(size)
            buffer.clear()  # no view is kept, either
            assert await received(here.peer, size) == data

    run(main())


@pytest.mark.parametrize(
    "view", [memoryview(bytes(range(64)))[::2], memoryview(b"x" * 64).cast("I")]
)
def test_views_of_odd_shapes(run, view):
    """What asyncio sends is the bytes of a contiguous view; others are refused or sent right."""

    async def main():
        async with connection() as here:
            try:
                here.transport.write(view)
            except (BufferError, ValueError, TypeError):
                return
            assert await received(here.peer, view.nbytes) == view.tobytes()
            assert here.transport.get_write_buffer_size() == 0

    run(main())


@pytest.mark.parametrize("bad", ["text", 5, None, [b"x"], object()])
def test_what_cannot_be_written(run, bad):
    async def main():
        async with connection() as here:
            with pytest.raises(TypeError):
                here.transport.write(bad)
            with pytest.raises(TypeError):
                here.transport.writelines([b"x", bad])

    run(main())


def test_writelines(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.writelines([])
            here.transport.writelines([b"", b""])
            here.transport.writelines(piece for piece in (b"a", bytearray(b"b"), memoryview(b"c")))
            assert await received(here.peer, 3) == b"abc"
            pieces = [bytes([i % 256]) * (i % 700) for i in range(5000)]
            here.transport.writelines(pieces)
            here.transport.write(b"end")
            data = b"".join(pieces) + b"end"
            assert await received(here.peer, len(data)) == data

    run(main())


def test_order_of_all_kinds_of_writing(run):
    """Small and big, in one callback and in several, sent at once or kept."""

    async def main():
        random.seed(5)
        async with connection(make_pair=small_pair) as here:
            data = bytearray()

            def piece():
                data.extend(made := random.randbytes(random.choice((1, 10, 1000, 70_000))))
                return made

            reading = asyncio.ensure_future(received(here.peer, 1 << 30))
            for _ in range(200):
                for _ in range(random.randrange(5)):
                    if random.random() < 0.5:
                        here.transport.write(piece())
                    else:
                        here.transport.writelines([piece(), b"", piece()])
                if random.random() < 0.5:
                    here.transport.get_write_buffer_size()
                if random.random() < 0.7:
                    await asyncio.sleep(0)
            here.transport.write_eof()
            assert await reading == data

    run(main())


def test_what_a_callback_wrote_is_sent_if_it_raises(loop, run, handled):
    async def main():
        async with connection() as here:
            loop.call_soon(lambda: (here.transport.write(b"data"), 1 / 0))
            assert await received(here.peer, 4) == b"data"

    run(main())
    assert len(handled) == 1


@pytest.mark.parametrize("where", ["soon", "later", "reader"])
def test_what_was_written_before_an_interrupt_is_sent(loop, run, where):
    one, peer = unix_pair()
    one.setblocking(False)
    peer.settimeout(5)
    transport, protocol = run(loop.create_connection(Recorder, sock=one))

    def fail():
        loop.remove_reader(peer)
        transport.write(b"data")
        raise KeyboardInterrupt

    if where == "soon":
        loop.call_soon(fail)
    elif where == "later":
        loop.call_later(0, fail)
    else:
        loop.add_writer(peer, lambda: (loop.remove_writer(peer), fail()))
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert peer.recv(10) == b"data"
    peer.close()
    transport.close()
    run(protocol.gets("lost"))
    run(asyncio.sleep(0))


def test_writing_in_a_watcher(loop, run):
    async def main():
        async with connection() as here:
            timer = loop.timer(0, 0, lambda *args: here.transport.write(b"data"))
            timer.start()
            assert await received(here.peer, 4) == b"data"

    run(main())


def test_writing_while_the_loop_does_not_run(loop, run):
    one, peer = unix_pair()
    one.setblocking(False)
    peer.settimeout(5)
    transport, protocol = run(loop.create_connection(Recorder, sock=one))
    transport.write(b"data")
    assert peer.recv(10) == b"data"
    peer.close()
    run(protocol.gets("lost"))
    run(asyncio.sleep(0))


# Flow control


def test_water_marks(run):
    async def main():
        async with connection() as here:
            transport = here.transport
            assert transport.get_write_buffer_limits() == (16384, 65536)
            transport.set_write_buffer_limits(high=1000)
            assert transport.get_write_buffer_limits() == (250, 1000)
            transport.set_write_buffer_limits(low=1000)
            assert transport.get_write_buffer_limits() == (1000, 4000)
            transport.set_write_buffer_limits(high=7, low=3)
            assert transport.get_write_buffer_limits() == (3, 7)
            transport.set_write_buffer_limits(high=0)
            assert transport.get_write_buffer_limits() == (0, 0)
            transport.set_write_buffer_limits()
            assert transport.get_write_buffer_limits() == (16384, 65536)
            for marks in {"high": 1, "low": 2}, {"high": -1}, {"low": -1}:
                with pytest.raises(ValueError):
                    transport.set_write_buffer_limits(**marks)
            assert transport.get_write_buffer_limits() == (16384, 65536)
            for most in float("inf"), 10**30:
                transport.set_write_buffer_limits(high=most, low=0)
                assert transport.get_write_buffer_limits()[1] == sys.maxsize
            transport.set_write_buffer_limits(high=2.5, low=0.5)
            assert transport.get_write_buffer_limits() == (0, 2)

    run(main())


@pytest.mark.parametrize("size", [1000, 200_000])
def test_flow_control(run, size):
    """The protocol is told to pause once more is kept than the mark, and to go on below it."""

    async def main():
        async with connection(make_pair=small_pair) as here:
            transport, protocol = here.transport, here.protocol
            transport.set_write_buffer_limits(high=20_000, low=5_000)
            written = 0
            while "pause" not in protocol.calls:
                assert transport.get_write_buffer_size() <= 20_000
                transport.write(bytes(size))
                written += size
                await asyncio.sleep(0)
            assert transport.get_write_buffer_size() > 20_000
            transport.write(b"more")
            assert protocol.calls == ["made", "pause"]
            while "resume" not in protocol.calls:
                assert transport.get_write_buffer_size() > 5_000
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(received(here.peer, 1 << 30), 0.002)
            assert transport.get_write_buffer_size() <= 5_000

    run(main())


def test_pausing_within_one_callback(run):
    """As soon as too much is kept, though more is written by the same callback."""

    async def main():
        async with connection(make_pair=small_pair) as here:
            for _ in range(100):
                here.transport.write(bytes(5000))
                if "pause" in here.protocol.calls:
                    break
            assert "pause" in here.protocol.calls
            assert here.transport.get_write_buffer_size() < 80_000

    run(main())


def test_high_water_mark_of_zero(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.set_write_buffer_limits(high=0)
            here.transport.write(bytes(100_000))
            assert here.protocol.calls == ["made", "pause"]
            await received(here.peer, 100_000)
            await here.protocol.gets("resume")
            assert here.transport.get_write_buffer_size() == 0

    run(main())


def test_writing_in_resume_writing(run):
    class Writing(Recorder):
        def resume_writing(self):
            super().resume_writing()
            if self.calls.count("resume") < 4:
                self.transport.write(bytes(200_000))

    async def main():
        async with connection(Writing(), small_pair) as here:
            here.transport.write(bytes(200_000))
            assert len(await received(here.peer, 800_000)) == 800_000
            await here.protocol.until(lambda: here.protocol.calls.count("resume") == 4)
            assert here.protocol.calls.count("pause") == 4

    run(main())


@pytest.mark.parametrize("method", ["pause_writing", "resume_writing"])
def test_flow_control_that_raises(run, handled, method):
    async def main():
        async with connection(make_pair=small_pair) as here:
            setattr(here.protocol, method, lambda: 1 / 0)
            here.transport.write(bytes(200_000))
            assert len(await received(here.peer, 200_000)) == 200_000
            here.transport.write(b"still open")
            assert await received(here.peer, 10) == b"still open"
            assert "lost" not in here.protocol.calls

    run(main())
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]


def test_streams_drain(run):
    async def main():
        one, peer = small_pair()
        one.setblocking(False)
        peer.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=one)
        reading = asyncio.ensure_future(received(peer, 1_000_000))
        for _ in range(100):
            writer.write(bytes(10_000))
            await writer.drain()
        assert len(await reading) == 1_000_000
        writer.close()
        await writer.wait_closed()
        peer.close()

    run(main())


# Ends


@each_pair
@each_kind
def test_end_of_stream_closes(run, make_pair, kind):
    async def main():
        async with connection(kind(), make_pair) as here:
            here.peer.shutdown(socket.SHUT_WR)
            await here.protocol.gets("lost")
            assert here.protocol.calls == ["made", "eof", "lost"] and here.protocol.error is None
            assert await received(here.peer, 1) == b""

    run(main())


@each_pair
@each_kind
def test_half_open_connections(run, make_pair, kind):
    async def main():
        async with connection(kind(keep_open=True), make_pair) as here:
            here.peer.send(b"the last")
            here.peer.shutdown(socket.SHUT_WR)
            await here.protocol.gets("eof")
            assert here.protocol.data == b"the last"
            here.transport.write(b"answer")
            assert await received(here.peer, 6) == b"answer"
            await asyncio.sleep(0.01)
            assert here.protocol.calls.count("eof") == 1 and "lost" not in here.protocol.calls
            here.transport.close()
            await here.protocol.gets("lost")
            assert here.protocol.error is None

    run(main())


def test_pausing_and_resuming_after_the_end_of_the_stream(run):
    async def main():
        async with connection(Recorder(keep_open=True)) as here:
            here.peer.shutdown(socket.SHUT_WR)
            await here.protocol.gets("eof")
            here.transport.pause_reading()
            here.transport.resume_reading()
            await asyncio.sleep(0.01)
            assert "lost" not in here.protocol.calls

    run(main())


@each_pair
def test_write_eof(run, make_pair):
    async def main():
        async with connection(make_pair=make_pair) as here:
            assert here.transport.can_write_eof() is True
            here.transport.write(b"the last")
            here.transport.write_eof()
            here.transport.write_eof()
            for method, argument in (("write", b"x"), ("writelines", [b"x"])):
                with pytest.raises(RuntimeError, match="after write_eof"):
                    getattr(here.transport, method)(argument)
            assert await received(here.peer, 100) == b"the last"
            here.peer.send(b"answer")
            await here.protocol.receives(b"answer")

    run(main())


def test_write_eof_after_much_data(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(BIG))
            here.transport.write_eof()
            assert len(await received(here.peer, 1 << 30)) == BIG

    run(main())


@pytest.mark.parametrize("size", [0, 10, BIG])
def test_close_sends_what_was_written(run, size):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(size))
            here.transport.close()
            here.transport.close()
            assert here.transport.is_closing()
            assert "lost" not in here.protocol.calls
            assert len(await received(here.peer, 1 << 30)) == size
            await here.protocol.gets("lost")
            assert here.protocol.error is None and here.protocol.calls.count("lost") == 1

    run(main())


def test_writing_after_close(run, caplog):
    async def main():
        async with connection() as here:
            here.transport.close()
            for _ in range(10):
                here.transport.write(b"too late")
                here.transport.writelines([b"too late"])
            here.transport.write_eof()
            await here.protocol.gets("lost")
            await asyncio.sleep(0)
            here.transport.write(b"too late")
            assert await received(here.peer, 1) == b""

    run(main())
    assert "socket.send() raised exception." in caplog.text


def test_abort(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(BIG))
            here.transport.abort()
            here.transport.abort()
            assert here.transport.is_closing() and here.transport.get_write_buffer_size() == 0
            await here.protocol.gets("lost")
            assert here.protocol.error is None
            assert len(await received(here.peer, 1 << 30)) < BIG

    run(main())


def test_abort_after_close(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(BIG))
            here.transport.close()
            here.transport.abort()
            await here.protocol.gets("lost")
            assert here.protocol.calls.count("lost") == 1

    run(main())


def test_closing_in_every_method_of_the_protocol(run):
    async def main(method, end):
        class Closing(Recorder):
            pass

        def close(self, *args):
            result = getattr(Recorder, method)(self, *args)
            getattr(self.transport, end)()
            return result

        setattr(Closing, method, close)
        async with connection(Closing(keep_open=True), small_pair) as here:
            with contextlib.suppress(BrokenPipeError):
                here.peer.send(b"data")
            here.transport.write(bytes(200_000))
            here.peer.shutdown(socket.SHUT_WR)
            with_data = asyncio.ensure_future(received(here.peer, 1 << 30))
            await here.protocol.gets("lost")
            assert here.protocol.calls.count("lost") == 1 and here.protocol.error is None
            # What it did not read makes its end a reset.
            await asyncio.gather(with_data, return_exceptions=True)

    methods = ["connection_made", "data_received", "eof_received", "pause_writing"]
    for method in [*methods, "resume_writing"]:
        for end in "close", "abort":
            run(main(method, end))


# Resets


def is_reset(error):
    return isinstance(error, (ConnectionResetError, BrokenPipeError))


@each_kind
def test_reset_while_reading(run, kind):
    async def main():
        async with connection(kind()) as here:
            reset(here.peer)
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error) and "eof" not in here.protocol.calls
            assert here.transport.is_closing()

    run(main())


def test_reset_while_paused(run):
    """Is noticed when something is written or reading goes on."""

    async def main():
        async with connection() as here:
            here.transport.pause_reading()
            reset(here.peer)
            await asyncio.sleep(0.01)
            here.transport.write(b"x")
            await asyncio.sleep(0)
            here.transport.resume_reading()
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error)

    run(main())


def test_reset_while_writing(run):
    async def main():
        async with connection() as here:
            here.transport.pause_reading()
            here.transport.write(bytes(BIG))
            assert here.transport.get_write_buffer_size()
            reset(here.peer)
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error)
            assert here.transport.get_write_buffer_size() == 0

    run(main())


def test_reset_while_closing(run):
    async def main():
        async with connection() as here:
            here.transport.write(bytes(BIG))
            here.transport.close()
            reset(here.peer)
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error)
            assert here.protocol.calls.count("lost") == 1

    run(main())


def test_reset_while_half_open(run):
    async def main():
        async with connection(Recorder(keep_open=True)) as here:
            here.transport.write(bytes(BIG))
            here.peer.shutdown(socket.SHUT_WR)
            await here.protocol.gets("eof")
            reset(here.peer)
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error)

    run(main())


def test_reset_after_write_eof(run):
    async def main():
        async with connection() as here:
            here.transport.write_eof()
            await asyncio.sleep(0)
            reset(here.peer)
            await here.protocol.gets("lost")
            # The kernel tells of it as the end of the stream or as an error.
            assert here.protocol.error is None or is_reset(here.protocol.error)

    run(main())


def test_reset_before_connection_made(run):
    async def main():
        loop = asyncio.get_running_loop()
        one, peer = tcp_pair()
        one.setblocking(False)
        reset(peer)
        transport, protocol = await loop.create_connection(Recorder, sock=one)
        await protocol.gets("lost")
        assert is_reset(protocol.error) and protocol.calls == ["made", "lost"]
        await asyncio.sleep(0)

    run(main())


def test_write_and_writelines_to_a_peer_that_is_gone(run):
    async def main(write):
        async with connection(make_pair=unix_pair) as here:
            here.transport.pause_reading()
            here.peer.close()
            write(here.transport)
            await here.protocol.gets("lost")
            assert is_reset(here.protocol.error)

    run(main(lambda transport: transport.write(b"small")))
    run(main(lambda transport: transport.write(bytes(BIG))))
    run(main(lambda transport: transport.writelines([b"one", b"two"])))


# Protocols that raise


@pytest.mark.parametrize(
    "method", ["data_received", "eof_received", "get_buffer", "buffer_updated"]
)
def test_protocol_methods_that_raise(run, handled, method):
    async def main():
        protocol = Buffered() if "buffer" in method else Recorder()
        async with connection(protocol) as here:
            setattr(protocol, method, lambda *args: 1 / 0)
            here.peer.send(b"data")
            here.peer.shutdown(socket.SHUT_WR)
            await protocol.gets("lost")
            assert protocol.error is handled[0]["exception"]
            assert handled[0]["transport"] is here.transport
            assert handled[0]["protocol"] is protocol
            assert method in handled[0]["message"]

    run(main())
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]


def test_connection_lost_that_raises(run, handled):
    class Raising(Recorder):
        def connection_lost(self, error):
            super().connection_lost(error)
            raise ZeroDivisionError

    async def main():
        async with connection(Raising()) as here:
            here.transport.abort()
            await here.protocol.gets("lost")
            await asyncio.sleep(0)
            assert await received(here.peer, 1) == b""  # the socket is closed all the same

    run(main())
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]


def test_connection_made_that_raises(run, handled):
    class Raising(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            if not raised:
                raised.append(1)
                raise ZeroDivisionError

    async def main():
        one, peer = unix_pair()
        one.setblocking(False)
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            try:
                transport, protocol = await loop.create_connection(Raising, sock=one)
            finally:
                peer.close()
            # As asyncio: reported, and the connection lives on.
            await protocol.gets("lost")
            await asyncio.sleep(0)
            raise handled[0]["exception"]

    raised = []
    run(main())
    assert len(handled) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("method", ["data_received", "eof_received"])
def test_protocols_that_end_the_program(loop, run, kind, method):
    one, peer = unix_pair()
    one.setblocking(False)
    transport, protocol = run(loop.create_connection(Recorder, sock=one))

    def fail(*args):
        raise kind

    setattr(protocol, method, fail)
    peer.send(b"x") if method == "data_received" else peer.shutdown(socket.SHUT_WR)
    with pytest.raises(kind):
        loop.run_forever()
    transport.abort()
    run(protocol.gets("lost"))
    run(asyncio.sleep(0))
    peer.close()


def test_connection_made_that_writes_and_closes(run):
    class Brief(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"good")
            transport.writelines([b"b", b"ye"])
            transport.close()

    async def main():
        async with connection(Brief()) as here:
            assert await received(here.peer, 100) == b"goodbye"
            await here.protocol.gets("lost")
            assert here.protocol.calls == ["made", "lost"]

    run(main())


def test_no_references_are_left(run):
    """A connection that is over frees its protocol and itself without the collector."""

    async def main():
        gc.disable()
        try:
            async with connection() as here:
                here.transport.write(b"x")
                gone = weakref.ref(here.protocol), weakref.ref(here.transport)
            del here.protocol.transport
            here.protocol = here.transport = None
            await asyncio.sleep(0.01)
            assert [each() for each in gone] == [None, None]
        finally:
            gc.enable()

    run(main())


def test_memory_of_a_write_is_not_copied_needlessly(run):
    """What is kept of a bytes object that can't be sent at all is that object."""

    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(500_000))
            data = b"%d" % os.getpid() * 10_000
            before = sys.getrefcount(data)
            here.transport.write(data)
            assert sys.getrefcount(data) == before + 1

    run(main())
