"""Listener: servers, and connections that come in all circumstances."""

import asyncio
import contextlib
import os
import socket
import ssl

import pytest

from .helpers import Recorder, reset


async def gone(*protocols):
    for protocol in protocols:
        protocol.transport.abort()
        await protocol.gets("lost")
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(*args, protocol=Recorder, **options):
    """A server and the list of its protocols, which are ended with it."""
    made = []

    def make():
        made.append(protocol())
        return made[-1]

    loop = asyncio.get_running_loop()
    args = args or ("127.0.0.1", 0)
    server = await loop.create_server(make, *args, **options)
    try:
        yield server, made
    finally:
        server.close()
        # Those that have a transport by now are told in the next turn.
        await asyncio.sleep(0)
        await gone(*(each for each in made if each.transport and "lost" not in each.calls))
        await server.wait_closed()


def address(server):
    return server.sockets[0].getsockname()[:2]


async def count(made, number):
    while len(made) < number or not all("made" in each.calls for each in made):
        await asyncio.sleep(0.001)


def test_connections_are_accepted(loop, run):
    async def main():
        async with serving() as (server, made):
            assert isinstance(server, asyncio.AbstractServer) and server.is_serving()
            clients = [await loop.create_connection(Recorder, *address(server)) for _ in range(50)]
            await count(made, 50)
            for i, (transport, _) in enumerate(clients):
                transport.write(b"%d" % i)
            for (_, client), each in zip(clients, made, strict=True):
                await each.gets("data")
                each.transport.write(each.data)
                await client.gets("data")
            assert [bytes(client.data) for _, client in clients] == [b"%d" % i for i in range(50)]
            await gone(*(client for _, client in clients))

    run(main())


def test_accepted_sockets_are_not_inherited_and_do_not_block(loop, run):
    async def main():
        async with serving() as (server, made):
            with socket.create_connection(address(server)):
                await count(made, 1)
                sock = made[0].transport.get_extra_info("socket")
                assert not os.get_inheritable(sock.fileno()) and not os.get_blocking(sock.fileno())

    run(main())


def test_several_hosts(loop, run):
    async def main():
        async with serving(["127.0.0.1", "127.0.0.2"], 0) as (server, made):
            hosts = {sock.getsockname()[0] for sock in server.sockets}
            assert hosts == {"127.0.0.1", "127.0.0.2"}
            for sock in server.sockets:
                socket.create_connection(sock.getsockname()).close()
            await count(made, 2)

    run(main())


def test_options(loop, run):
    async def main():
        async with (
            serving(reuse_port=True, backlog=1) as (server, made),
            serving(*address(server), reuse_port=True) as (_, others),
        ):
            assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
            clients = [await asyncio.open_connection(*address(server)) for _ in range(20)]
            while len(made) + len(others) < 20:
                await asyncio.sleep(0.001)
            for _, writer in clients:
                writer.close()
                await writer.wait_closed()
        with pytest.raises(OSError):
            async with serving() as (server, _):
                await loop.create_server(Recorder, *address(server))

    run(main())


def test_start_serving(loop, run):
    async def main():
        async with serving(start_serving=False) as (server, made):
            assert not server.is_serving()
            await server.start_serving()
            await server.start_serving()
            assert server.is_serving()
            with socket.create_connection(address(server)):
                await count(made, 1)

    run(main())


def test_serve_forever(loop, run):
    async def main():
        async with serving() as (server, made):
            task = asyncio.ensure_future(server.serve_forever())
            with socket.create_connection(address(server)):
                await count(made, 1)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() and not server.is_serving()
            with pytest.raises(RuntimeError):
                await server.serve_forever()

    run(main())


def test_closed_server_lets_connections_live(loop, run):
    async def main():
        async with serving() as (server, made):
            where = address(server)
            with socket.create_connection(where) as client:
                client.setblocking(False)
                await count(made, 1)
                server.close()
                server.close()
                assert not server.sockets and not server.is_serving()
                with pytest.raises(OSError):
                    socket.create_connection(where)
                client.send(b"still")
                await made[0].receives(b"still")

    run(main())


def test_close_while_clients_connect(loop, run):
    """In every state of many connections; nobody is left, nothing is reported."""

    async def main():
        for turns in range(20):
            async with serving() as (server, made):
                where = address(server)
                clients = []
                for _ in range(10):
                    clients.append(socket.socket())
                    clients[-1].setblocking(False)
                    clients[-1].connect_ex(where)
                for _ in range(turns % 5):
                    await asyncio.sleep(0)
            for client in clients:
                client.close()

    run(main())


def test_close_in_the_protocol_factory(loop, run, handled):
    """What becomes of the connection is open; the loop and all others have to live."""

    async def main():
        def make():
            server.close()
            made.append(Recorder())
            return made[-1]

        made = []
        server = await loop.create_server(make, "127.0.0.1", 0)
        clients = [socket.socket() for _ in range(5)]
        where = address(server)
        try:
            for client in clients:
                client.setblocking(False)
                client.connect_ex(where)
            await asyncio.sleep(0.01)
            assert made
            await gone(*(each for each in made if each.transport))
            await asyncio.wait_for(server.wait_closed(), 1)
        finally:
            for client in clients:
                client.close()

    run(main())


def test_factory_that_raises(loop, run, handled):
    async def main():
        def make():
            if not handled:
                raise ZeroDivisionError
            return protocol

        protocol = Recorder()
        server = await loop.create_server(make, "127.0.0.1", 0)
        with socket.create_connection(address(server)) as first:
            first.setblocking(False)
            assert await loop.sock_recv(first, 1) == b""
        with socket.create_connection(address(server)):
            await protocol.gets("made")
            await gone(protocol)
        server.close()
        await server.wait_closed()

    run(main())
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
    assert "socket" in handled[0]


def test_connection_made_that_raises(loop, run, handled):
    class Raising(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            raise ZeroDivisionError

    async def main():
        async with serving(protocol=Raising) as (server, made):
            for i in range(3):
                with socket.create_connection(address(server)) as client:
                    client.setblocking(False)
                    await count(made, i + 1)

    run(main())
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError] * 3


def test_connection_made_that_writes(loop, run):
    class Greeting(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"he")
            transport.write(b"llo")

    async def main():
        async with serving(protocol=Greeting) as (server, made):
            with socket.create_connection(address(server)) as client:
                client.setblocking(False)
                assert await loop.sock_recv(client, 100) == b"hello"

    run(main())


def test_reset_before_it_is_accepted(loop, run):
    async def main():
        async with serving() as (server, made):
            for _ in range(20):
                reset(socket.create_connection(address(server)))
            with socket.create_connection(address(server)) as client:
                client.send(b"x")
                while not any(each.data for each in made):
                    await asyncio.sleep(0.001)
                others = [each for each in made if not each.data]
                for each in others:
                    await each.gets("lost")

    run(main())


def test_no_descriptors_left(run_program):
    """Accepting goes on once there are some again, and the loop does not spin meanwhile."""
    run_program(
        """
        import asyncio, resource
        async def main():
            loop = asyncio.get_running_loop()
            told = []
            loop.set_exception_handler(lambda loop, context: told.append(context))
            made = []
            class Protocol(asyncio.Protocol):
                def connection_made(self, transport):
                    made.append(transport)
            server = await loop.create_server(Protocol, "127.0.0.1", 0)
            clients = [socket.socket() for _ in range(5)]
            for client in clients:
                client.setblocking(False)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)
            taken = os.dup(0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, limit[1]))
            os.close(taken)
            for client in clients:
                client.connect_ex(server.sockets[0].getsockname())
            while not told:
                await asyncio.sleep(0.01)
            before = loop.iteration
            await asyncio.sleep(0.2)
            passes = loop.iteration - before
            print(len(made) < 5, passes < 20, "out of system resource" in told[0]["message"])
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            while len(made) < 5:
                await asyncio.sleep(0.01)
            print("all")
            server.close()
            for transport in made:
                transport.abort()
            for client in clients:
                client.close()
            await server.wait_closed()
        ev.run(main())
        """,
        "True True True all",
    )


def test_unix_servers(loop, run, tmp_path):
    async def main():
        path = tmp_path / "socket"
        protocol = Recorder()
        server = await loop.create_unix_server(lambda: protocol, path)
        transport, client = await loop.create_unix_connection(Recorder, str(path))
        transport.write(b"hello")
        await protocol.receives(b"hello")
        protocol.transport.write(b"hello yourself")
        await client.receives(b"hello yourself")
        await gone(client, protocol)
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError):
            await loop.create_unix_connection(Recorder, str(path))

    run(main())


def test_backlog_of_zero(loop, run):
    async def main():
        async with serving(backlog=0) as (server, made):
            with socket.create_connection(address(server)):
                await count(made, 1)

    run(main())


@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
def test_clients_are_closed_with_the_server(loop, run, method):
    async def main():
        async with serving() as (server, made):
            clients = [socket.create_connection(address(server)) for _ in range(3)]
            await count(made, 3)
            server.close()
            getattr(server, method)()
            for each in made:
                await each.gets("lost")
            await server.wait_closed()
            for client in clients:
                client.close()

    run(main())


def test_dropped_server(loop, run):
    """Goes on accepting, as asyncio's does, until it is closed."""

    async def main():
        protocol = Recorder()
        server = await loop.create_server(lambda: protocol, "127.0.0.1", 0)
        where = address(server)
        sock = server.sockets[0]._sock
        del server
        with socket.create_connection(where):
            await protocol.gets("made")
            await gone(protocol)
        loop._stop_serving(sock)

    run(main())


def test_start_server_with_streams(loop, run):
    async def main():
        async def serve(reader, writer):
            async for line in reader:
                writer.write(line.upper())
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*address(server))
        writer.write(b"one\ntwo\n")
        assert await reader.readline() == b"ONE\n" and await reader.readline() == b"TWO\n"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main())


# TLS


def test_tls_both_ways(loop, run, contexts):
    async def main():
        data = os.urandom(3_000_000)
        async with serving(ssl=contexts[0]) as (server, made):
            transport, client = await loop.create_connection(
                Recorder, *address(server), ssl=contexts[1], server_hostname="localhost"
            )
            assert transport.get_extra_info("ssl_object") is not None
            transport.write(data)
            await count(made, 1)
            await made[0].until(lambda: len(made[0].data) == len(data))
            made[0].transport.write(data)
            await client.until(lambda: len(client.data) == len(data))
            assert made[0].data == client.data == data
            transport.close()
            await client.gets("lost")
            await made[0].gets("lost")
            assert client.error is None and made[0].error is None
            await asyncio.sleep(0.01)

    run(main())


def test_tls_that_is_refused(loop, run, contexts):
    async def main():
        async with serving(ssl=contexts[0]) as (server, made):
            with pytest.raises(ssl.SSLCertVerificationError):
                await loop.create_connection(
                    Recorder, *address(server), ssl=ssl.create_default_context()
                )
            await asyncio.sleep(0.01)

    run(main())


def test_what_is_no_tls(loop, run, contexts):
    async def main():
        async with serving(ssl=contexts[0]) as (server, made):
            with socket.create_connection(address(server)) as client:
                client.setblocking(False)
                client.send(b"GET / HTTP/1.1\r\n\r\n" * 10)
                with contextlib.suppress(ConnectionError):
                    while await loop.sock_recv(client, 1000):
                        pass
            await asyncio.sleep(0.01)
            assert not any(each.calls for each in made)

    run(main())


def test_start_tls(loop, run, contexts):
    async def main():
        async with serving() as (server, made):
            transport, client = await loop.create_connection(Recorder, *address(server))
            await count(made, 1)
            plain = made[0].transport
            transport.write(b"plain")
            await made[0].receives(b"plain")
            served, transport = await asyncio.gather(
                loop.start_tls(plain, made[0], contexts[0], server_side=True),
                loop.start_tls(transport, client, contexts[1], server_hostname="localhost"),
            )
            made[0].transport = served
            transport.write(b" secret")
            await made[0].receives(b"plain secret")
            served.write(b"answer")
            await client.receives(b"answer")
            transport.close()
            await client.gets("lost")
            await made[0].gets("lost")

    run(main())
