"""aiohttp, server and client in one loop: requests, long bodies, TLS, files, WebSockets."""

import asyncio
import contextlib
import hashlib
import random
import ssl

import aiohttp
import pytest
from aiohttp import web

from .running import on_everloop

CHUNKS = 1024  # of 64 KiB: 64 MiB


def chunk(seed, number):
    """64 KiB that tell which they are, so that none can be lost, doubled or displaced unnoticed."""
    return f"{seed:7}{number:9}".encode() * 4096


def checksum(seed):
    digest = hashlib.sha256()
    for number in range(CHUNKS):
        digest.update(chunk(seed, number))
    return digest.hexdigest()


@contextlib.asynccontextmanager
async def serving(*routes, tls=None, **options):
    """A server with these routes; gives its URL."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(params=["tcp", "tls"])
def contexts(request, authority, certificate):
    """The TLS contexts of a server and its client, and None for both without TLS."""
    if request.param == "tcp":
        return None, None
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@on_everloop
async def test_concurrent_requests():
    async def double(request):
        return web.json_response({"doubled": 2 * (await request.json())["number"]})

    async with serving(web.post("/double", double)) as url, aiohttp.ClientSession() as session:

        async def doubled(number):
            async with session.post(f"{url}/double", json={"number": number}) as response:
                return (await response.json())["doubled"]

        results = await asyncio.gather(*map(doubled, range(500)))
    assert results == list(range(0, 1000, 2))


@on_everloop
async def test_resolved_name():
    """localhost may be ::1 as well, where nothing listens: the client tries all addresses."""

    async def hello(request):
        return web.Response(text="hello")

    async with (
        serving(web.get("/", hello)) as url,
        aiohttp.ClientSession() as session,
        session.get(url.replace("127.0.0.1", "localhost")) as response,
    ):
        assert await response.text() == "hello"


@on_everloop
async def test_streamed_bodies(contexts):
    """64 MiB each way, that neither side holds at once."""
    for_server, for_client = contexts

    async def exchange(request):
        digest = hashlib.sha256()
        async for data in request.content.iter_any():
            digest.update(data)
        response = web.StreamResponse(headers={"Received": digest.hexdigest()})
        await response.prepare(request)
        for number in range(CHUNKS):
            await response.write(chunk(2, number))
        await response.write_eof()
        return response

    async def body():
        for number in range(CHUNKS):
            yield chunk(1, number)

    digest = hashlib.sha256()
    async with (
        serving(web.post("/", exchange), tls=for_server) as url,
        aiohttp.ClientSession() as session,
        session.post(url, data=body(), ssl=for_client or True) as response,
    ):
        async for data in response.content.iter_any():
            digest.update(data)
    assert response.headers["Received"] == checksum(1)
    assert digest.hexdigest() == checksum(2)


@on_everloop
async def test_echo_while_sending():
    """The body comes back while it is being sent, through buffers that are much smaller."""

    async def echo(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for data in request.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response

    async def body():
        for number in range(CHUNKS):
            yield chunk(3, number)

    digest = hashlib.sha256()
    async with (
        serving(web.post("/", echo)) as url,
        aiohttp.ClientSession() as session,
        session.post(url, data=body()) as response,
    ):
        async for data in response.content.iter_any():
            digest.update(data)
    assert digest.hexdigest() == checksum(3)


@pytest.mark.parametrize("debug", [False, True])
@on_everloop
async def test_file(contexts, tmp_path, debug):
    """Without TLS, the kernel copies the file; in debug mode, asyncio checks the socket first."""
    asyncio.get_running_loop().set_debug(debug)
    for_server, for_client = contexts
    path = tmp_path / "file"
    path.write_bytes(random.Random(1).randbytes(16 * 1024 * 1024 + 1))

    async def send(request):
        return web.FileResponse(path)

    async with (
        serving(web.get("/", send), tls=for_server) as url,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(url, ssl=for_client or True) as response:
            assert await response.read() == path.read_bytes()
        part = {"Range": "bytes=1000000-9999999"}
        async with session.get(url, ssl=for_client or True, headers=part) as response:
            assert await response.read() == path.read_bytes()[1_000_000:10_000_000]


@on_everloop
async def test_client_that_goes_away():
    ended = asyncio.get_running_loop().create_future()

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(chunk(4, 0))
        except ConnectionError:
            ended.set_result("told")
            raise
        finally:
            if not ended.done():
                ended.set_result("not told")

    async def hello(request):
        return web.Response(text="hello")

    async with (
        serving(web.get("/endless", endless), web.get("/", hello)) as url,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{url}/endless") as response:
            await response.content.readexactly(1024 * 1024)
            response.close()
        assert await ended == "told"
        async with session.get(url) as response:
            assert await response.text() == "hello"


@on_everloop
async def test_request_that_takes_too_long():
    """The server is told, and cancels what it does for the client."""
    cancelled = asyncio.Event()

    async def wait(request):
        # The time is up once the request has come, however long that took.
        limit.reschedule(asyncio.get_running_loop().time())
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with (
        serving(web.get("/", wait), handler_cancellation=True) as url,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await session.get(url)
        await cancelled.wait()


@on_everloop
async def test_websockets(contexts):
    for_server, for_client = contexts

    async def echo(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "end":
                await socket.close(code=4001, message=b"as asked for")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        return socket

    async def talk(session, number):
        async with session.ws_connect(url, ssl=for_client or True) as socket:
            binary = chunk(5, number) * 4
            for word in "one", "two", "three":
                await socket.send_str(f"{word} {number}")
                await socket.ping()
                await socket.send_bytes(binary)
                assert await socket.receive_str() == f"{word} {number}"
                assert await socket.receive_bytes() == binary
            await socket.send_str("end")
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            return socket.close_code

    async with (
        serving(web.get("/", echo), tls=for_server) as url,
        aiohttp.ClientSession() as session,
    ):
        codes = await asyncio.gather(*(talk(session, number) for number in range(50)))
    assert codes == [4001] * 50
