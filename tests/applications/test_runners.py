"""What makes and runs the loop: asyncio's runners and everloop's, anyio, aiohttp, pytest."""

import asyncio
import os
import signal
import socket
import sys
import threading

import anyio
import anyio.from_thread
import pytest

import everloop

from .running import LOOP, PATIENCE, on_everloop, started

ON_EVERLOOP = {"loop_factory": everloop.new_event_loop}

# A program that waits until it is interrupted, and then cleans up, which takes a while.
INTERRUPTED = """\
import asyncio

import everloop


async def main():
    print("on", type(asyncio.get_running_loop()))
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.01)
        print("cleaned up")


try:
    RUN
except KeyboardInterrupt:
    print("interrupted")
"""

# A test suite with asynchronous fixtures, and tests that share a loop.
SUITE = """\
import asyncio

import pytest
import pytest_asyncio

import everloop

loops = set()


@pytest_asyncio.fixture
async def stream():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def echo(reader, writer):
    writer.write(await reader.readline())
    writer.close()
    await writer.wait_closed()


@pytest.mark.asyncio
@pytest.mark.parametrize("line", [b"one\\n", b"two\\n"])
async def test_echo(stream, line):
    assert type(asyncio.get_running_loop()) is everloop.EventLoop
    reader, writer = stream
    writer.write(line)
    assert await reader.read() == line


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", [1, 2])
async def test_shared_loop(number):
    loops.add(asyncio.get_running_loop())
    assert [type(loop) for loop in loops] == [everloop.EventLoop]
"""

CONFTEST = """\
import everloop


def pytest_asyncio_loop_factories(config, item):
    return {"everloop": everloop.new_event_loop}
"""

RUN_APP = """\
import asyncio

from aiohttp import web

import everloop


async def on_startup(app):
    print("on", type(asyncio.get_running_loop()))


async def on_cleanup(app):
    await asyncio.sleep(0)
    print("cleaned up")


app = web.Application()
app.on_startup.append(on_startup)
app.on_cleanup.append(on_cleanup)
web.run_app(app, host="127.0.0.1", port=0, loop=everloop.new_event_loop())
"""


async def kind_of_loop():
    await asyncio.sleep(0.01)
    return type(asyncio.get_running_loop())


def test_runner():
    with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
        assert runner.run(kind_of_loop()) is everloop.EventLoop
        assert runner.run(kind_of_loop()) is everloop.EventLoop
        loop = runner.get_loop()
    assert loop.is_closed()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio.run has no loop_factory")
def test_asyncio_run():
    kind = asyncio.run(kind_of_loop(), loop_factory=everloop.new_event_loop)
    assert kind is everloop.EventLoop


@pytest.mark.parametrize("debug", [False, True])
def test_run(debug):
    async def main():
        return asyncio.get_running_loop().get_debug()

    assert everloop.run(kind_of_loop()) is everloop.EventLoop
    assert everloop.run(main(), debug=debug) is debug


def test_run_that_fails():
    async def main():
        assert type(asyncio.get_running_loop()) is everloop.EventLoop
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        everloop.run(main())


def test_run_cleans_up():
    """Tasks that are left are cancelled, generators are closed, threads are waited for."""
    done = []

    async def task():
        try:
            await asyncio.sleep(600)
        finally:
            done.append("task")

    async def generator():
        try:
            yield
        finally:
            await asyncio.sleep(0)
            done.append("generator")

    async def main():
        assert type(asyncio.get_running_loop()) is everloop.EventLoop
        tasks.append(asyncio.create_task(task()))
        generators.append(generator())
        await anext(generators[0])
        asyncio.get_running_loop().run_in_executor(None, lambda: done.append("thread"))

    tasks, generators = [], []
    everloop.run(main())
    assert sorted(done) == ["generator", "task", "thread"]


@pytest.mark.parametrize(
    "run",
    [
        "everloop.run(main())",
        "everloop.install(); asyncio.run(main())",
        "with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner: runner.run(main())",
    ],
    ids=["run", "install", "Runner"],
)
@on_everloop
async def test_interrupt(tmp_path, run):
    # A shell's background job is told to ignore SIGINT, and tells its children.
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (tmp_path / "program.py").write_text(heed + INTERRUPTED.replace("RUN", run))
    async with started(sys.executable, "program.py", cwd=tmp_path) as program:
        await program.expect(f"on {LOOP}")
        output = await program.end(signal.SIGINT)
    assert output.splitlines()[1:] == ["cleaned up", "interrupted"]


def run_anyio(main, *args):
    async def checked():
        assert type(asyncio.get_running_loop()) is everloop.EventLoop
        with anyio.fail_after(PATIENCE):
            await main(*args)

    anyio.run(checked, backend_options=ON_EVERLOOP)


async def echo(stream):
    async with stream:
        async for data in stream:
            await stream.send(data)


async def receive_exactly(stream, size):
    received = b""
    while len(received) < size:
        received += await stream.receive()
    return received


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_anyio_streams(tmp_path, family):
    async def main():
        if family == "tcp":
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            connect = anyio.connect_tcp("127.0.0.1", port)
        else:
            path = tmp_path / "socket"
            listener = await anyio.create_unix_listener(path)
            connect = anyio.connect_unix(path)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with await connect as stream:
                data = bytes(range(256)) * 4096
                group.start_soon(stream.send, data)
                assert await receive_exactly(stream, len(data)) == data
            group.cancel_scope.cancel()

    run_anyio(main)


def test_anyio_datagrams():
    async def main():
        async with (
            await anyio.create_udp_socket(local_host="127.0.0.1") as server,
            await anyio.create_udp_socket(local_host="127.0.0.1") as client,
        ):
            address = server.extra(anyio.abc.SocketAttribute.local_address)
            await client.sendto(b"question", *address)
            question, sender = await server.receive()
            await server.sendto(question + b" and answer", *sender)
            assert (await client.receive())[0] == b"question and answer"

    run_anyio(main)


def test_anyio_processes():
    async def main():
        result = await anyio.run_process(["cat"], input=b"x" * 1_000_000)
        assert result.stdout == b"x" * 1_000_000
        async with await anyio.open_process(["sleep", "600"]) as process:
            process.terminate()
            assert await process.wait() == -signal.SIGTERM

    run_anyio(main)


def test_anyio_signals():
    async def main():
        with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            for signum in signal.SIGUSR1, signal.SIGUSR2:
                os.kill(os.getpid(), signum)
                assert await anext(signals) == signum

    run_anyio(main)


def test_anyio_cancellation():
    async def main():
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        with ends[0], ends[1]:
            with anyio.move_on_after(0.01) as scope:
                await anyio.wait_readable(ends[0])
            assert scope.cancelled_caught
            ends[1].send(b"x")
            await anyio.wait_readable(ends[0])

    run_anyio(main)


def test_anyio_threads():
    async def main():
        thread = threading.get_ident()

        def work():
            assert threading.get_ident() != thread
            return anyio.from_thread.run_sync(threading.get_ident)

        assert await anyio.to_thread.run_sync(work) == thread

    run_anyio(main)


def test_anyio_portal():
    """A loop in a thread of its own, which takes calls from this one."""
    with anyio.from_thread.start_blocking_portal(backend_options=ON_EVERLOOP) as portal:
        assert portal.call(kind_of_loop) is everloop.EventLoop
        futures = [portal.start_task_soon(kind_of_loop) for _ in range(100)]
        assert [future.result(PATIENCE) for future in futures] == [everloop.EventLoop] * 100


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@on_everloop
async def test_aiohttp_run_app(tmp_path, signum):
    (tmp_path / "program.py").write_text(RUN_APP)
    async with started(sys.executable, "program.py", cwd=tmp_path) as program:
        await program.expect(f"on {LOOP}")
        await program.expect("Running on")
        assert (await program.end(signum)).endswith("cleaned up\n")


@on_everloop
async def test_pytest_asyncio(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    async with started(sys.executable, "-m", "pytest", "-v", cwd=tmp_path) as program:
        assert "4 passed" in await program.ends()
