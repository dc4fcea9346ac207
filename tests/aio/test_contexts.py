"""The context that protocols are called in: one for each connection, pipe and subprocess."""

import asyncio
import contextvars
import os
import ssl
import sys
import tempfile

import pytest

from .helpers import Recorder

asked_in = contextvars.ContextVar("asked_in", default="nowhere")
own = contextvars.ContextVar("own", default="unset")


class Noting:
    """Notes in which context each call comes, and sets a variable in the first."""

    def __init__(self):
        super().__init__()
        self.contexts = []

    def note(self, what):
        self.contexts.append((what, asked_in.get(), own.get()))
        if what == "made":
            own.set("set")
        super().note(what)

    def check(self, place):
        first, *others = self.contexts
        assert first == ("made", place, "unset")
        assert others and others[-1][0] == "lost"
        assert {context[1:] for context in others} == {(place, "set")}


class Stream(Noting, Recorder):
    pass


class Process(Noting, Recorder):
    def pipe_data_received(self, fd, data):
        self.note("data")

    def pipe_connection_lost(self, fd, error):
        self.note("pipe lost")

    def process_exited(self):
        self.note("exited")


async def asked(place, coroutine):
    """Await with the variable set, for that long."""
    token = asked_in.set(place)
    try:
        return await coroutine
    finally:
        asked_in.reset(token)


@pytest.fixture
def contexts(certificate):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    return server, ssl.create_default_context(cafile=certificate)


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("by", ["client", "server"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_connections(run, contexts, kind, tls, by, how):
    async def main():
        loop = asyncio.get_running_loop()
        one, other = Stream(), Stream()
        secure = {"ssl": contexts[0]} if tls else {}
        with tempfile.TemporaryDirectory() as directory:
            address = (directory + "/socket",) if kind == "unix" else ("127.0.0.1", 0)
            serve = loop.create_unix_server if kind == "unix" else loop.create_server
            server = await asked("server", serve(lambda: one, *address, **secure))
            if kind == "tcp":
                address = server.sockets[0].getsockname()
            if tls:
                secure = {"ssl": contexts[1], "server_hostname": "localhost"}
            connect = loop.create_unix_connection if kind == "unix" else loop.create_connection
            async with server:
                await asked("client", connect(lambda: other, *address, **secure))
                other.transport.write(b"x")
                await one.receives(b"x")
                one.transport.write(b"x")
                await other.receives(b"x")
                getattr((one if by == "server" else other).transport, how)()
                await one.gets("lost")
                await other.gets("lost")
        one.check("server")
        other.check("client")

    run(main())


def test_pipes(run):
    async def main():
        loop = asyncio.get_running_loop()
        reader, writer = Stream(), Stream()
        r, w = os.pipe()
        await asked("r", loop.connect_read_pipe(lambda: reader, open(r, "rb", 0)))
        await asked("w", loop.connect_write_pipe(lambda: writer, open(w, "wb", 0)))
        # More than fits: the protocol is told to pause, and to resume.
        writer.transport.write(b"x" * 500_000)
        writer.transport.close()
        await reader.receives(b"x" * 500_000)
        await reader.gets("lost")
        await writer.gets("lost")
        reader.check("r")
        assert "data" in reader.calls and "eof" in reader.calls
        made, *others = writer.contexts
        assert made == ("made", "w", "unset") and others[-1] == ("lost", "w", "set")

    run(main())


@pytest.mark.parametrize("closes", [False, True])
def test_subprocesses(run, closes):
    async def main():
        loop = asyncio.get_running_loop()
        program = "print(1, flush=True); input()"
        transport, process = await asked(
            "here", loop.subprocess_exec(Process, sys.executable, "-c", program, stderr=None)
        )
        await process.gets("data")
        if closes:
            transport.close()
        else:
            transport.get_pipe_transport(0).write(b"\n")
        await process.gets("lost")
        transport.close()
        process.check("here")
        assert {"data", "pipe lost", "exited"} <= {*process.calls}

    run(main())


def test_a_loop_within_a_callback_of_a_pipe(run, loop):
    """Its context is entered already then: a copy is used."""

    class Nesting(Stream):
        def data_received(self, data):
            super().data_received(data)
            if len(self.data) == 1:
                os.write(w, b"y")
                loop.call_later(0.05, loop.stop)
                loop.start()

    async def main():
        protocol = Nesting()
        transport, _ = await loop.connect_read_pipe(lambda: protocol, open(r, "rb", 0))
        os.write(w, b"x")
        await protocol.receives(b"xy")
        os.close(w)
        await protocol.gets("lost")

    r, w = os.pipe()
    run(main())
