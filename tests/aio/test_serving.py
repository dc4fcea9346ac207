"""Serving: servers, and the contexts of their connections."""

import asyncio
import contextvars
import errno
import os
import socket
import ssl

import pytest

import everloop

from .helpers import PATIENCE, Recorder
from .test_connecting import VARIABLE, Witness


@pytest.fixture(params=["plain", "tls"])
def contexts(request):
    """SSL contexts, if any: options of a server and of its clients."""
    if request.param == "plain":
        return {}, {}
    certificate = request.getfixturevalue("certificate")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=certificate)
    return {"ssl": server}, {"ssl": client, "server_hostname": "localhost"}


class Settler(Witness):
    """Sets VARIABLE in its first call."""

    def connection_made(self, transport):
        super().connection_made(transport)
        VARIABLE.set("connection")


async def one_connection(loop, server, options):
    address = server.sockets[0].getsockname()
    transport, client = await loop.create_connection(Recorder, *address, **options)
    transport.write(b"x")
    return transport, client


@pytest.mark.parametrize("given", [False, True])
def test_each_connection_has_a_copy_of_the_context(loop, run, contexts, given):
    """Of the one that was current when the server was made, or that was given."""

    async def main():
        made = []

        def make():
            made.append(Settler())
            return made[-1]

        VARIABLE.set("server")
        options = {**contexts[0]}
        if given:
            options["context"] = contextvars.copy_context()
            options["context"].run(VARIABLE.set, "given")
        server = await loop.create_server(make, "127.0.0.1", 0, start_serving=False, **options)
        VARIABLE.set("later")
        await server.start_serving()
        first = "given" if given else "server"
        async with server:
            for number in range(2):
                transport, client = await one_connection(loop, server, contexts[1])
                while len(made) <= number:
                    await asyncio.sleep(0.001)
                await made[number].gets("data")
                transport.close()
                await client.gets("lost")
                await made[number].gets("lost")
                # In the factory and in connection_made(), and then in the others.
                seen = made[number].seen
                assert seen[:2] == [first] * 2
                assert {*seen[2:]} == {"connection"}
        assert VARIABLE.get() == "later"

    run(main())


def test_start_server_keeps_the_context(loop, run, contexts):
    async def main():
        async def serve(reader, writer):
            writer.write(VARIABLE.get().encode())
            VARIABLE.set("handler")
            writer.close()

        VARIABLE.set("server")
        server = await asyncio.start_server(serve, "127.0.0.1", 0, **contexts[0])
        VARIABLE.set("later")
        async with server:
            for _ in range(2):
                reader, writer = await asyncio.open_connection(
                    *server.sockets[0].getsockname(), **contexts[1]
                )
                assert await reader.read() == b"server"
                writer.close()
                await writer.wait_closed()

    run(main())


def test_a_server_tells_whether_it_has_tls_as_asyncios_does(loop, run, contexts):
    async def main():
        server = await loop.create_server(Recorder, "127.0.0.1", 0, **contexts[0])
        assert server._ssl_context is contexts[0].get("ssl")
        server.close()

    run(main())


def test_a_server_tells_who_waits_and_how_many_are_connected(loop, run):
    """By the names of asyncio's, which servers of other projects look at."""

    async def main():
        server = await loop.create_server(Recorder, "127.0.0.1", 0)
        assert server._serving_forever_fut is None and server._active_count == 0
        serving = asyncio.ensure_future(server.serve_forever())
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await asyncio.sleep(0.01)
        assert not server._serving_forever_fut.done() and server._active_count == 1
        writer.close()
        serving.cancel()
        await asyncio.wait([serving])
        assert server._serving_forever_fut is None

    run(main())


def test_no_address_that_the_system_has(loop, run):
    async def main():
        with pytest.raises(OSError, match="could not bind") as raised:
            await loop.create_server(Recorder, "192.0.2.1", 0)
        assert raised.value.errno == errno.EADDRNOTAVAIL

    run(main())


@pytest.mark.parametrize("closed", ["server", "loop"])
def test_closed_before_a_connection_has_a_transport(closed):
    """It is over at once, and nobody is told of it."""
    loop = everloop.new_event_loop()
    told = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    server = loop.run_until_complete(loop.create_server(told.append, "127.0.0.1", 0))
    with socket.create_connection(server.sockets[0].getsockname(), PATIENCE) as client:
        loop.stop()
        loop.run_forever()  # one turn
        server.close()
        if closed == "server":
            loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        assert client.recv(1) == b""
    assert not told


def test_servers_of_all_pythons(loop, run):
    async def main():
        server = await loop.create_server(Recorder, "127.0.0.1", 0)
        assert isinstance(server, asyncio.Server)
        assert server.get_loop() is loop
        assert "TransportSocket" in repr(server)
        server.close()
        server.close_clients()
        server.abort_clients()
        await server.wait_closed()
        assert server.sockets == ()

    run(main())


@pytest.mark.parametrize("cleanup", [False, True])
def test_path_of_a_unix_server(loop, run, tmp_path, cleanup):
    path = tmp_path / "socket"

    async def main():
        for _ in range(2):  # one that is left over is replaced
            server = await loop.create_unix_server(Recorder, path, cleanup_socket=cleanup)
            server.close()
            assert path.exists() is not cleanup

    run(main())


def test_path_is_looked_at_without_what_tools_forbid(loop, run, tmp_path, monkeypatch):
    """Those that find blocking calls in coroutines except asyncio's own files only."""
    path = tmp_path / "socket"
    exists = path.exists
    forbidden = ("stat", "lstat", "unlink", "remove")

    def blocks(*args, **kwargs):
        raise AssertionError("a blocking call")

    async def main():
        for _ in range(2):
            server = await loop.create_unix_server(Recorder, path, cleanup_socket=False)
            server.close()
        server = await loop.create_unix_server(Recorder, path, cleanup_socket=True)
        server.close()

    with monkeypatch.context() as patched:
        for name in forbidden:
            patched.setattr(os, name, blocks)
        run(main())
    assert not exists()


def test_path_with_a_null_character(loop, run, tmp_path):
    with pytest.raises(ValueError, match="null"):
        run(loop.create_unix_server(Recorder, f"{tmp_path}/a\0b"))


def test_path_that_another_server_has_taken(loop, run, tmp_path):
    path = tmp_path / "socket"

    async def main():
        one = await loop.create_unix_server(Recorder, path, cleanup_socket=True)
        os.rename(path, path.with_name("old"))
        other = await loop.create_unix_server(Recorder, path, cleanup_socket=True)
        one.close()
        assert path.exists()
        other.close()
        assert not path.exists()

    run(main())


def test_abstract_path(loop, run):
    name = f"\0everloop-test-{os.getpid()}"

    async def main():
        async with await loop.create_unix_server(Recorder, name, cleanup_socket=True):
            transport, client = await loop.create_unix_connection(Recorder, name)
            transport.close()
            await client.gets("lost")

    run(main())


def test_shared_port(loop, run):
    async def main():
        async with await loop.create_server(Recorder, "127.0.0.1", 0, reuse_port=True) as one:
            port = one.sockets[0].getsockname()[1]
            async with await loop.create_server(Recorder, "127.0.0.1", port, reuse_port=True):
                pass
            with pytest.raises(OSError, match="error while attempting to bind"):
                await loop.create_server(Recorder, "127.0.0.1", port)

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"ssl_handshake_timeout": 1.0},
        {"ssl_shutdown_timeout": 1.0},
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
                await loop.create_server(Recorder, **options)

    run(main())
