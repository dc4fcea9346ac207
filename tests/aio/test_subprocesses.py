"""Subprocesses of loops, in any thread."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

import everloop

from .helpers import PATIENCE, in_thread
from .test_connecting import VARIABLE


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


@pytest.mark.parametrize("command", ["exit 3", "sleep 0.1; exit 3"])
def test_ignored_children(loop, run, command):
    """The kernel keeps no status of a child if SIGCHLD is ignored, of none that has ended."""

    async def main():
        process = await asyncio.create_subprocess_shell(command, stdout=subprocess.PIPE)
        assert await process.communicate() == (b"", None)
        return process.returncode

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.warns(RuntimeWarning, match="taken by somebody else"):
            assert run(main()) == 255
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_child_that_has_been_taken_before_it_is_watched(loop, run, monkeypatch):
    """As by a thread that waits for any child."""
    popen = subprocess.Popen

    def reap(*args, **options):
        process = popen(*args, **options)
        os.waitpid(process.pid, 0)
        return process

    async def main():
        monkeypatch.setattr(subprocess, "Popen", reap)
        process = await asyncio.create_subprocess_exec("true")
        return await process.wait()

    with pytest.warns(RuntimeWarning, match="taken by somebody else"):
        assert run(main()) == 255


def test_closed_loop(run):
    """Nothing is started."""
    loop = everloop.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        run(loop.subprocess_exec(asyncio.SubprocessProtocol, "true"))


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


# Transports


class Told(asyncio.SubprocessProtocol):
    """Keeps what it is told, and the value of a context variable then."""

    def __init__(self):
        self.calls, self.seen = [], []
        self.over = asyncio.get_running_loop().create_future()

    def note(self, *what):
        self.calls.append(what)
        self.seen.append(VARIABLE.get())

    def connection_made(self, transport):
        self.note("made")
        VARIABLE.set("protocol")

    def pipe_data_received(self, fd, data):
        self.note("data", fd, data)

    def pipe_connection_lost(self, fd, error):
        self.note("pipe", fd)

    def process_exited(self):
        self.note("exited")

    def connection_lost(self, error):
        self.note("lost")
        self.over.set_result(error)


def test_calls_of_the_protocol(loop, run):
    """In one context, copied when the process was started."""

    async def main():
        VARIABLE.set("made")
        transport, protocol = await loop.subprocess_shell(Told, "cat; exit 3")
        VARIABLE.set("later")
        assert transport.get_protocol() is protocol
        assert transport.get_returncode() is None and "running" in repr(transport)
        assert transport.get_extra_info("subprocess").pid == transport.get_pid()
        transport.get_pipe_transport(0).write(b"x")
        transport.get_pipe_transport(0).close()
        assert await protocol.over is None
        assert transport.get_returncode() == 3 and "returncode=3" in repr(transport)
        assert protocol.calls[0] == ("made",) and protocol.calls[-1] == ("lost",)
        assert {*protocol.calls[1:-1]} == {
            ("data", 1, b"x"),
            ("pipe", 0),
            ("pipe", 1),
            ("pipe", 2),
            ("exited",),
        }
        assert protocol.seen == ["made"] + ["protocol"] * 6
        assert VARIABLE.get() == "later"
        with pytest.raises(ProcessLookupError):
            transport.kill()
        transport.close()

    run(main())


def test_closed_while_it_runs(loop, run):
    async def main():
        transport, protocol = await loop.subprocess_exec(Told, "sleep", "1000")
        transport.close()
        assert transport.is_closing()
        await protocol.over
        assert transport.get_returncode() == -signal.SIGKILL

    run(main())


def test_pipes_that_outlive_the_process(loop, run):
    """From Python 3.14 on, who waits for a process does not wait for its pipes."""

    async def main():
        transport, protocol = await loop.subprocess_shell(
            Told, "sleep 1000 & echo $!; read x; exit 3"
        )
        while not any(call[0] == "data" for call in protocol.calls):
            await asyncio.sleep(0.001)
        pid = next(int(call[2]) for call in protocol.calls if call[0] == "data")
        waiting = loop.create_task(transport._wait())
        await asyncio.sleep(0)
        transport.get_pipe_transport(0).write(b"x\n")
        while ("exited",) not in protocol.calls:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        assert waiting.done() is (sys.version_info >= (3, 14))
        os.kill(pid, signal.SIGKILL)
        assert await waiting == 3
        await protocol.over
        transport.close()

    run(main())


def test_cancelled_while_it_is_started(loop, run):
    async def main():
        starting = loop.create_task(loop.subprocess_exec(Told, "sleep", "1000"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"universal_newlines": True},
        {"text": True},
        {"bufsize": 1},
        {"encoding": "utf-8"},
        {"errors": "strict"},
        {"shell": True},
    ],
)
def test_options_that_are_refused(loop, run, options):
    async def main():
        with pytest.raises(ValueError):
            await loop.subprocess_exec(Told, "true", **options)
        options["shell"] = not options.get("shell", False)
        with pytest.raises(ValueError):
            await loop.subprocess_shell(Told, "true", **{**options, "bufsize": 1})
        with pytest.raises(ValueError):
            await loop.subprocess_shell(Told, ["true"])

    run(main())


def unwatchable(number, started):
    """What stands for Child where there is no pidfd, for a reason of that number."""

    class Unwatchable:
        def __init__(self, pid, *arguments):
            started.append(pid)

        def start(self):
            raise OSError(number, "no pidfd")

    return Unwatchable


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_a_process_is_waited_for_without_descriptors(run, monkeypatch, number):
    monkeypatch.setattr(everloop.aio.mixins.subprocesses, "Child", unwatchable(number, []))

    async def main():
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", "cat; exit 3", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert await process.communicate(b"data") == (b"data", None)
        assert process.returncode == 3
        killed = await asyncio.create_subprocess_exec("/bin/sleep", "60")
        killed.kill()
        assert await killed.wait() == -signal.SIGKILL

    run(main())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPERM])
def test_a_process_that_cannot_be_watched_is_ended(run, monkeypatch, number):
    started = []
    monkeypatch.setattr(everloop.aio.mixins.subprocesses, "Child", unwatchable(number, started))

    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("no pidfd, and can't start new thread")

    monkeypatch.setattr(everloop.aio.mixins.subprocesses.threading, "Thread", NoThread)

    async def main():
        with pytest.raises((OSError, RuntimeError), match="no pidfd"):
            await asyncio.create_subprocess_exec(
                "/bin/sleep", "60", stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        # What closes the pipes was asked for last.
        await asyncio.sleep(0.01)

    run(main())
    with pytest.raises(ChildProcessError):
        os.waitpid(started[0], os.WNOHANG)
