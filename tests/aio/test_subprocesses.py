"""Subprocesses of loops, in any thread."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

import everloop

from .helpers import PATIENCE, in_thread


def test_exit_status_and_output(run):
    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sys; print(input()); sys.exit(3)", stdin=-1, stdout=-1
        )
        assert await process.communicate(b"hello\n") == (b"hello\n", None)
        assert process.returncode == 3 and await process.wait() == 3

    run(main())


def test_shell_and_standard_error(run):
    async def main():
        process = await asyncio.create_subprocess_shell(
            "echo out; echo err >&2", stdout=-1, stderr=-1
        )
        assert await process.communicate() == (b"out\n", b"err\n")

    run(main())


@pytest.mark.parametrize("method", ["kill", "terminate"])
def test_killed_ones(run, method):
    async def main():
        process = await asyncio.create_subprocess_exec("sleep", "1000")
        getattr(process, method)()
        assert await process.wait() == -(signal.SIGKILL if method == "kill" else signal.SIGTERM)
        for call in process.kill, process.terminate, lambda: process.send_signal(signal.SIGINT):
            with pytest.raises(ProcessLookupError):
                call()

    run(main())


def test_much_data_both_ways(run):
    async def main():
        data = os.urandom(4_000_000)
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        assert (await process.communicate(data))[0] == data

    run(main())


def test_programs_that_are_not_there(run):
    async def main():
        for _ in range(5):
            with pytest.raises(FileNotFoundError):
                await asyncio.create_subprocess_exec("/nowhere/at/all", stdin=-1, stdout=-1)

    run(main())


def test_no_thread_for_each(run):
    async def main():
        before = threading.active_count()
        processes = [await asyncio.create_subprocess_exec("sleep", "1000") for _ in range(5)]
        assert threading.active_count() == before
        for process in processes:
            process.kill()
            await process.wait()

    run(main())


def test_short_ones_in_masses(run):
    async def main():
        async def one(i):
            process = await asyncio.create_subprocess_shell(f"exit {i % 7}")
            assert await process.wait() == i % 7

        await asyncio.gather(*(one(i) for i in range(60)))

    run(main())


def test_several_loops_in_several_threads():
    """At once; each gets the ends of its own children, whichever thread it runs in."""

    async def one(i):
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"cat; exit {i}", stdin=-1, stdout=-1
        )
        text = b"%d" % i
        assert (await process.communicate(text))[0] == text
        assert process.returncode == i

    async def main(start):
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await asyncio.gather(*(one(start + i) for i in range(8)))
        results.append(start)

    results = []
    threads = [
        threading.Thread(target=lambda i=i: everloop.run(main(i * 8)), daemon=True)
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(results) == [0, 8, 16, 24]


def test_children_of_others_are_left_alone(loop, run):
    """Popen.wait() in another thread still gets the status of its own child."""

    async def main():
        other = subprocess.Popen(["sh", "-c", "exit 5"])
        process = await asyncio.create_subprocess_shell("exit 6")
        assert await process.wait() == 6
        assert in_thread(other.wait) == 5

    run(main())


def test_transport(loop, run):
    class Protocol(asyncio.SubprocessProtocol):
        def __init__(self):
            self.ended = loop.create_future()
            self.calls = []

        def pipe_data_received(self, fd, data):
            self.calls.append((fd, data))

        def pipe_connection_lost(self, fd, error):
            self.calls.append((fd, error))

        def process_exited(self):
            self.calls.append("exited")

        def connection_lost(self, error):
            self.ended.set_result(error)

    async def main():
        transport, protocol = await loop.subprocess_exec(Protocol, "echo", "hello", stdin=None)
        assert isinstance(transport, asyncio.SubprocessTransport) and transport.get_pid() > 0
        assert await protocol.ended is None
        assert transport.get_returncode() == 0
        assert (1, b"hello\n") in protocol.calls and "exited" in protocol.calls
        transport.close()

    run(main())


def test_cancelled_while_it_starts_or_runs(loop, run):
    async def main():
        for delay in (0, 0.001, 0.01):
            task = asyncio.ensure_future(asyncio.create_subprocess_exec("sleep", "1000"))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                process = task.result()
                process.kill()
                await process.wait()

    run(main())
