"""Pipes: their transports, and the contexts of their protocols' calls."""

import asyncio
import contextvars
import errno
import os
import pty
import socket
import tempfile

import pytest

from everloop.aio.mixins.pipes import ReadPipe, WritePipe

from .helpers import Recorder
from .test_connecting import VARIABLE, Witness


def files(reading, writing):
    return open(reading, "rb", 0), open(writing, "wb", 0)


@pytest.fixture
def ends():
    """File objects of a pipe's ends."""
    reader, writer = files(*os.pipe())
    yield reader, writer
    reader.close()
    writer.close()


async def both(loop, ends):
    source, reader = await loop.connect_read_pipe(Recorder, ends[0])
    target, writer = await loop.connect_write_pipe(Recorder, ends[1])
    return source, reader, target, writer


def test_much_data(loop, run, ends):
    async def main():
        source, reader, target, writer = await both(loop, ends)
        data = os.urandom(3_000_000)
        target.write(data)
        assert target.get_write_buffer_size() > 0 and "polling" in repr(target)
        assert "pause" in writer.calls
        await reader.receives(data)
        await writer.gets("resume")
        target.close()
        await reader.gets("lost")
        await writer.gets("lost")
        assert reader.calls[-2:] == ["eof", "lost"]
        assert "closed" in repr(source) and "closed" in repr(target)
        assert ends[0].closed and ends[1].closed

    run(main())


def test_kinds(loop, run, ends):
    async def main():
        source, reader, target, writer = await both(loop, ends)
        assert isinstance(source, asyncio.ReadTransport) and type(source) is ReadPipe
        # As asyncio's: one that can't be read says so in its own words.
        assert isinstance(target, asyncio.Transport) and type(target) is WritePipe
        with pytest.raises(NotImplementedError):
            target.pause_reading()
        assert source.get_extra_info("pipe") is ends[0]
        assert source.get_protocol() is reader
        assert target.can_write_eof()
        assert target.get_write_buffer_limits() == (16384, 65536)
        target.set_write_buffer_limits(low=10)
        assert target.get_write_buffer_limits() == (10, 40)
        with pytest.raises(ValueError):
            target.set_write_buffer_limits(high=1, low=2)
        with pytest.raises(TypeError):
            target.write("text")
        source.close()
        await reader.gets("lost")
        await writer.gets("lost")
        assert target.is_closing()
        for _ in range(10):
            target.write(b"nobody")

    run(main())


def test_paused(loop, run, ends):
    async def main():
        source, reader, target, writer = await both(loop, ends)
        source.pause_reading()
        assert not source.is_reading() and "idle" in repr(source)
        target.write(b"x")
        await asyncio.sleep(0.02)
        assert reader.data == b""
        source.resume_reading()
        await reader.receives(b"x")
        source.close()
        await reader.gets("lost")
        await writer.gets("lost")

    run(main())


def test_reader_that_goes_while_data_is_kept(loop, run, ends):
    async def main():
        target, writer = await loop.connect_write_pipe(Recorder, ends[1])
        target.write(bytes(1_000_000))
        ends[0].close()
        await writer.gets("lost")
        assert isinstance(writer.error, BrokenPipeError)

    run(main())


def test_abort(loop, run, ends):
    async def main():
        target, writer = await loop.connect_write_pipe(Recorder, ends[1])
        target.write(bytes(1_000_000))
        target.abort()
        await writer.gets("lost")
        assert writer.error is None

    run(main())


def test_sockets_and_terminals(loop, run):
    async def main():
        master, slave = pty.openpty()
        one, other = socket.socketpair()
        for ends in files(master, slave), files(one.detach(), other.detach()):
            source, reader, target, writer = await both(loop, ends)
            target.write(b"x")
            await reader.receives(b"x")
            target.close()
            await reader.gets("lost")
            await writer.gets("lost")

    run(main())


def test_what_is_no_pipe(loop, run):
    async def main():
        with tempfile.TemporaryFile() as file:
            for connect in loop.connect_read_pipe, loop.connect_write_pipe:
                with pytest.raises(ValueError, match="pipes"):
                    await connect(Recorder, file)
            assert not file.closed

    run(main())


def test_dropped(loop, run, ends):
    async def main():
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, ends[1])
        loop._remove_reader(ends[1].fileno())
        with pytest.warns(ResourceWarning, match="unclosed transport"):
            del transport, _
            await asyncio.sleep(0)

    run(main())


def test_protocols_that_raise(loop, run, ends, handled):
    class Raising(Recorder):
        def pause_writing(self):
            raise ZeroDivisionError

    async def main():
        target, writer = await loop.connect_write_pipe(Raising, ends[1])
        target.write(bytes(1_000_000))
        assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
        target.abort()
        await writer.gets("lost")

    run(main())


@pytest.mark.parametrize("given", [False, True])
def test_calls_share_a_context(loop, run, ends, given):
    async def main():
        context = contextvars.copy_context()
        context.run(VARIABLE.set, "given")
        options = {"context": context} if given else {}
        VARIABLE.set("made")
        source, reader = await loop.connect_read_pipe(Witness, ends[0], **options)
        VARIABLE.set("later")
        source.pause_reading()
        source.resume_reading()
        ends[1].write(b"x")
        await reader.gets("data")
        ends[1].close()
        await reader.gets("lost")
        assert reader.seen == ["made"] + ["given" if given else "made"] * 4

    run(main())


@pytest.mark.parametrize("connect", ["connect_read_pipe", "connect_write_pipe"])
def test_pipe_that_the_kernel_does_not_watch_is_closed(
    loop, run, ends, handled, monkeypatch, connect
):
    """It would go deaf otherwise, and keep its descriptor."""
    error = OSError(errno.ENOMEM, "no memory to watch")

    def refuse(*args, **kwargs):
        raise error

    async def main():
        r, w = ends
        monkeypatch.setattr(loop, "_add_reader", refuse)
        pipe = r if connect == "connect_read_pipe" else w
        transport, protocol = await getattr(loop, connect)(Recorder, pipe)
        await protocol.gets("lost")
        assert transport.is_closing()
        assert protocol.error is error
        await asyncio.sleep(0)
        assert pipe.closed

    run(main())
    assert [each["exception"] for each in handled] == [error]
    handled.clear()


def test_pipe_whose_room_the_kernel_does_not_watch_is_closed(loop, run, ends, handled, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOMEM, "no memory to watch")

    async def main():
        r, w = ends
        transport, protocol = await loop.connect_write_pipe(Recorder, w)
        monkeypatch.setattr(loop, "_add_writer", refuse)
        transport.write(bytes(1_000_000))
        await protocol.gets("lost")
        assert protocol.error.errno == errno.ENOMEM
        await asyncio.sleep(0)
        assert w.closed

    run(main())
    handled.clear()
