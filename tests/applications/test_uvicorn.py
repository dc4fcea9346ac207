"""uvicorn with httptools, started by its own command on everloop, serving Starlette."""

import asyncio
import hashlib
import shutil
import signal
import sysconfig

import httpx
import pytest
import websockets

from .running import LOOP, on_everloop, started

APP = """\
import asyncio
import contextlib
import hashlib

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    await asyncio.sleep(0)
    print("the application has ended")


async def loop(request):
    return PlainTextResponse(repr(type(asyncio.get_running_loop())))


async def double(request):
    return JSONResponse(2 * int(request.query_params["number"]))


async def checksum(request):
    digest = hashlib.sha256()
    async for data in request.stream():
        if data == b"begin":
            print("the request has begun")
        digest.update(data)
    return PlainTextResponse(digest.hexdigest())


async def count(request):
    async def lines():
        for number in range(100_000):
            yield f"{number}\\n"

    return StreamingResponse(lines())


async def echo(websocket):
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(message)


routes = [
    Route("/loop", loop),
    Route("/double", double),
    Route("/checksum", checksum, methods=["POST"]),
    Route("/count", count),
    WebSocketRoute("/echo", echo),
]
app = Starlette(routes=routes, lifespan=lifespan)
"""


def uvicorn(directory, *options):
    """uvicorn, which a user would start so, though with a port of their choice."""
    (directory / "app.py").write_text(APP)
    command = shutil.which("uvicorn", path=sysconfig.get_path("scripts"))
    loop = ["--loop", "everloop:new_event_loop", "--http", "httptools"]
    return started(command, *loop, "--port", "0", *options, "app:app", cwd=directory)


async def address(program):
    """The server's address, once it listens."""
    return (await program.expect(r"running on http://(\S+)")).group(1)


@on_everloop
async def test_requests(tmp_path):
    body = bytes(range(256)) * 100_000
    async with uvicorn(tmp_path) as program:
        url = f"http://{await address(program)}"
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            assert (await client.get("/loop")).text == LOOP
            queries = [client.get("/double", params={"number": each}) for each in range(200)]
            responses = await asyncio.gather(*queries)
            assert [response.json() for response in responses] == list(range(0, 400, 2))
            response = await client.post("/checksum", content=body)
            assert response.text == hashlib.sha256(body).hexdigest()
            lines = (await client.get("/count")).text.splitlines()
            assert lines == [str(number) for number in range(100_000)]
        assert "the application has ended" in await program.end(status=-signal.SIGTERM)


@on_everloop
async def test_websockets(tmp_path):
    async with uvicorn(tmp_path) as program:
        url = f"ws://{await address(program)}/echo"

        async def talk(number):
            async with websockets.connect(url, open_timeout=None) as client:
                for message in f"hello {number}", "x" * 100_000:
                    await client.send(message)
                    assert await client.recv() == message

        await asyncio.gather(*map(talk, range(20)))
        await program.end(status=-signal.SIGTERM)


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)]
)
@on_everloop
async def test_graceful_shutdown(tmp_path, signum, status):
    """A request that has begun is served to its end, and none is taken any more."""
    rest = asyncio.Event()

    async def body():
        yield b"begin"
        await rest.wait()
        yield b"end"

    async with uvicorn(tmp_path) as program:
        url = f"http://{await address(program)}"
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            request = asyncio.create_task(client.post("/checksum", content=body()))
            await program.expect("the request has begun")
            program.process.send_signal(signum)
            await program.expect("Waiting for connections to close")
            with pytest.raises(httpx.ConnectError):
                await client.get("/loop")
            rest.set()
            assert (await request).text == hashlib.sha256(b"beginend").hexdigest()
        assert "the application has ended" in await program.ends(status)


@on_everloop
async def test_workers(tmp_path):
    """Processes that uvicorn starts for several workers are given the loop as well."""
    async with uvicorn(tmp_path, "--workers", "2") as program:
        url = f"http://{await address(program)}"
        for _ in range(2):
            await program.expect("Application startup complete")
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            assert (await client.get("/loop")).text == LOOP
        assert (await program.end()).count("the application has ended") == 2
