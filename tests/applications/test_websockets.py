"""websockets, with 200 clients at once."""

import asyncio

import pytest
import websockets
from websockets.asyncio.server import broadcast, serve

from .running import on_everloop

CLIENTS = 200

# Slow machines are no fault; the test as a whole has a limit.
UNLIMITED = {"open_timeout": None, "close_timeout": None, "ping_interval": None}


def connect(server):
    port = server.sockets[0].getsockname()[1]
    return websockets.connect(f"ws://127.0.0.1:{port}", **UNLIMITED)


@on_everloop
async def test_echo():
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async def talk(number):
        async with connect(server) as client:
            for message in f"hello {number}", number.to_bytes(2) * 40_000, "":
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping())

    async with serve(echo, "127.0.0.1", 0, **UNLIMITED) as server:
        await asyncio.gather(*map(talk, range(CLIENTS)))


@on_everloop
async def test_broadcast():
    """Everyone is told what anyone says, in the same order."""
    present, everyone_is = set(), asyncio.Event()

    async def chat(connection):
        present.add(connection)
        if len(present) == CLIENTS:
            everyone_is.set()
        async for message in connection:
            broadcast(present, message)

    async def participate(number):
        async with connect(server) as client:
            await everyone_is.wait()
            await client.send(str(number))
            return [await client.recv() for _ in range(CLIENTS)]

    async with serve(chat, "127.0.0.1", 0, **UNLIMITED) as server:
        heard = await asyncio.gather(*map(participate, range(CLIENTS)))
    assert sorted(heard[0], key=int) == [str(number) for number in range(CLIENTS)]
    assert all(each == heard[0] for each in heard)


@on_everloop
async def test_server_that_closes():
    """A server that is closed tells its clients, and waits for them."""
    connected = asyncio.Semaphore(0)

    async def wait(connection):
        connected.release()
        await connection.wait_closed()

    async def stay():
        async with connect(server) as client:
            with pytest.raises(websockets.ConnectionClosedOK) as closed:
                await client.recv()
            return closed.value.rcvd.code

    async with serve(wait, "127.0.0.1", 0, **UNLIMITED) as server:
        clients = [asyncio.create_task(stay()) for _ in range(CLIENTS)]
        for _ in clients:
            await connected.acquire()
    assert await asyncio.gather(*clients) == [1001] * CLIENTS
