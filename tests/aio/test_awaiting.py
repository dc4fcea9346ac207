"""Awaiting: watchers that coroutines wait for."""

import asyncio
import gc
import os
import queue
import signal
import socket
import subprocess
import sys
import threading

import pytest

import everloop
from everloop import EV_ASYNC, EV_READ, EV_SIGNAL, EV_TIMER, EV_WRITE


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_await_starts_and_stops(loop, run, pair):
    ours, theirs = pair

    async def main():
        io = loop.io(ours, EV_READ)
        assert not io.active
        waiting = loop.create_task(wait(io))
        await asyncio.sleep(0)
        assert io.active
        theirs.send(b"x")
        assert await waiting == EV_READ
        assert not io.active
        assert await loop.io(ours, EV_READ | EV_WRITE) == EV_READ | EV_WRITE
        assert loop.watchers == ()

    run(main())


async def wait(watcher):
    return await watcher


def test_without_a_callback_elsewhere():
    with everloop.Loop() as plain:
        with pytest.raises(TypeError, match="callback must be callable, not NoneType"):
            plain.io(0, EV_READ, None)
        with pytest.raises(TypeError):
            everloop.Timer(0, 0, plain)


def test_with_a_callback(loop, run):
    async def main():
        timer = loop.timer(0, 0, print)
        with pytest.raises(TypeError, match="without a callback"):
            await timer
        with pytest.raises(TypeError, match="without a callback"):
            async for _ in timer:
                pass
        with pytest.raises(TypeError, match="without a callback"):
            async with timer:
                pass

    run(main())


def test_with_a_callback_that_looks_like_a_stand_in(loop, run):
    """What a callback has for attributes does not matter: an Event has wait(), too."""

    class Waits:
        def __call__(self, watcher, revents):
            pass

        async def wait(self, watcher):
            raise AssertionError("not meant")

        iterate = enter = leave = wait

    timer = loop.timer(0, 0, Waits())

    async def main():
        for wait in (timer.__await__, timer.__aiter__, timer.__aenter__, timer.__aexit__):
            with pytest.raises(TypeError, match="without a callback"):
                wait()

    run(main())


def test_in_another_loop(loop, run):
    async def main():
        with everloop.EventLoop() as other:
            timer = other.timer(0, 0)
            with pytest.raises(RuntimeError, match="another loop"):
                await timer
            assert not timer.active

    run(main())


def test_timers(loop, run):
    async def main():
        assert await loop.timer(0, 0) == EV_TIMER
        assert [revents async for revents in loop.timer(0, 0)] == [EV_TIMER]
        count = 0
        async for _ in loop.timer(0, 0.001):
            count += 1
            if count == 3:
                break
        gc.collect()
        assert loop.watchers == ()

    run(main())


def test_periodic_and_scheduler(loop, run):
    async def main():
        async for revents in loop.periodic(0, 0.01):
            assert revents == everloop.EV_PERIODIC
            break
        assert await loop.scheduler(lambda watcher, now: now) == everloop.EV_PERIODIC
        assert loop.watchers == ()

    run(main())


def test_signals_are_not_lost_between_waits(loop, run):
    async def main():
        seen = []
        async for revents in loop.signal(signal.SIGUSR1):
            seen.append(revents)
            if len(seen) == 3:
                break
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.01)
        assert seen == [EV_SIGNAL] * 3
        assert loop.watchers == ()

    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
    run(main())


def test_what_happens_while_nobody_waits_is_merged(loop, run):
    async def main():
        caller = loop.async_()
        async with caller:
            assert caller.active
            for _ in range(3):
                caller.send()
                await asyncio.sleep(0.01)
            assert await asyncio.wait_for(caller, 10) == EV_ASYNC
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(caller, 0.01)
            assert caller.active
        assert not caller.active

    run(main())


def test_calls_from_a_thread(loop, run):
    async def main():
        caller = loop.async_()
        thread = threading.Thread(target=caller.send)
        loop.call_soon(thread.start)  # not before the coroutine waits: nobody would hear it
        assert await caller == EV_ASYNC
        thread.join()

    run(main())


def test_iterators_that_are_dropped_in_other_threads(loop, run):
    """Which end there what they held, and nothing that has been begun meanwhile."""
    dropped = queue.SimpleQueue()

    def drop():
        while dropped.get() is not None:
            pass

    async def main():
        timer = loop.timer(0.0001, 0.0001)
        for _ in range(300):
            events = aiter(timer)
            assert await anext(events) == EV_TIMER
            dropped.put(events)
            del events
            assert await asyncio.wait_for(timer, 30) == EV_TIMER
        for _ in threads:
            dropped.put(None)
        for thread in threads:
            await loop.run_in_executor(None, thread.join)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not timer.active
        assert timer.callback.holders == 0

    threads = [threading.Thread(target=drop, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    run(main())


@pytest.mark.parametrize("use", ["await", "hold", "iterate"])
def test_an_iterator_that_ends_while_another_use_begins(loop, run, monkeypatch, use):
    """The garbage collector, or CPython on behalf of another thread, may end it at any time."""
    old = []
    start = loop._start_awaited

    def start_and_end(watcher):
        start(watcher)
        old.clear()

    async def main():
        timer = loop.timer(0, 0)
        old.append(aiter(timer))
        assert await anext(old[0]) == EV_TIMER
        monkeypatch.setattr(loop, "_start_awaited", start_and_end)
        if use == "await":
            assert await timer == EV_TIMER
        elif use == "hold":
            async with timer:
                assert timer.active
        else:
            assert await anext(aiter(timer)) == EV_TIMER
        assert not old
        assert not timer.active
        assert timer.callback.holders == 0

    run(main())


def test_a_use_that_can_not_begin(loop, run, monkeypatch):
    async def main():
        timer = loop.timer(0, 0)

        def fail(watcher):
            raise MemoryError

        monkeypatch.setattr(loop, "_start_awaited", fail)
        for use in (wait, hold, iterate):
            with pytest.raises(MemoryError):
                await use(timer)
        assert timer.callback.holders == 0
        assert not timer.callback.waiting
        monkeypatch.undo()
        assert await timer == EV_TIMER
        assert not timer.active

    async def hold(timer):
        async with timer:
            pass

    async def iterate(timer):
        async for _ in timer:
            pass

    run(main())


def test_another_thread_than_the_loops_is_refused(loop, run):
    async def main():
        timer = loop.timer(1000, 0)
        refused = []

        def ask():
            for use in (lambda: aiter(timer), lambda: asyncio.run(enter(timer))):
                with pytest.raises(RuntimeError, match="another loop"):
                    use()
                refused.append(use)

        await loop.run_in_executor(None, ask)
        assert len(refused) == 2
        assert not timer.active

    async def enter(timer):
        async with timer:
            pass

    run(main())


def test_child(loop, run):
    async def main():
        program = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        child = await loop.child(program.pid, False)
        assert (child.pid, child.returncode) == (program.pid, 3)
        program.returncode = 3
        assert loop.watchers == ()

    run(main())


def test_iteration_of_a_child_ends_with_it(loop, run):
    async def main():
        program = subprocess.Popen([sys.executable, "-c", ""])
        ends = [child.returncode async for child in loop.child(program.pid, False)]
        assert ends == [0]
        program.returncode = 0

    run(main())


def test_changes_of_a_file(loop, run, tmp_path):
    path = tmp_path / "file"

    async def main():
        sizes = []
        loop.call_soon(path.write_text, "1")
        async for change in loop.stat(path, 0):
            sizes.append((change.previous.st_size, change.current.st_size))
            if change.current.st_size == 3:
                break
            path.write_text("12")
            await asyncio.sleep(0.05)
            path.write_text("123")
            await asyncio.sleep(0.05)
        assert sizes == [(0, 1), (1, 3)]

    run(main())


def test_reading_all_that_comes(loop, run, pair):
    """A descriptor is watched only while somebody waits: nobody is told of what was read."""
    ours, theirs = pair
    ours.setblocking(False)

    async def main():
        loop.create_task(feed())
        read = bytearray()
        async for _ in loop.io(ours, EV_READ):
            data = ours.recv(3)
            if not data:
                break
            read += data
            await asyncio.sleep(0)
        assert read == bytes(range(100))
        assert loop.watchers == ()

    async def feed():
        for i in range(100):
            theirs.send(bytes([i]))
            if i % 7 == 0:
                await asyncio.sleep(0)
        theirs.close()

    run(main())


def test_several_wait(loop, run, pair):
    ours, theirs = pair

    async def main():
        io = loop.io(ours, EV_READ)
        tasks = [loop.create_task(wait(io)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks.pop(0).cancel()
        await asyncio.sleep(0)
        assert io.active
        theirs.send(b"x")
        assert await asyncio.gather(*tasks) == [EV_READ] * 2
        assert not io.active

    run(main())


@pytest.mark.parametrize("how", ["await", "for", "with"])
def test_cancelled(loop, run, how):
    async def user(watcher):
        if how == "await":
            await watcher
        elif how == "for":
            async for _ in watcher:
                pass
        else:
            async with watcher:
                await watcher

    async def main():
        watcher = loop.signal(signal.SIGUSR1)
        task = loop.create_task(user(watcher))
        await asyncio.sleep(0)
        assert watcher.active
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
        assert loop.watchers == ()
        task = loop.create_task(user(watcher))
        await asyncio.sleep(0)
        assert watcher.active
        task.cancel()

    run(main())


def test_an_exception_ends_the_iteration(loop, run):
    async def main():
        timer = loop.timer(0, 0.001)
        with pytest.raises(ZeroDivisionError):
            async for _ in timer:
                1 / 0
        gc.collect()
        assert not timer.active

    run(main())


def test_iteration_in_parts(loop, run):
    async def main():
        ticks = aiter(loop.timer(0, 0.001))
        assert await anext(ticks) == EV_TIMER
        await ticks.aclose()
        await ticks.aclose()
        assert loop.watchers == ()
        with pytest.raises(StopAsyncIteration):
            await anext(ticks)

    run(main())


def test_descriptor_that_is_not_open(loop, run):
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)

    async def main():
        with pytest.raises(OSError, match="Bad file descriptor"):
            await loop.io(fd, EV_READ)
        assert loop.watchers == ()

    run(main())


def test_descriptor_that_is_closed_meanwhile(loop, run):
    """Who waits is told; the loop goes on."""
    reading, writing = os.pipe()

    async def main():
        task = loop.create_task(wait(loop.io(reading, EV_READ)))
        await asyncio.sleep(0.01)
        os.close(reading)
        with pytest.raises(OSError, match="Bad file descriptor"):
            await asyncio.wait_for(task, 30)
        assert loop.watchers == ()

    run(main())
    os.close(writing)


def test_fed(loop, run):
    async def main():
        timer = loop.timer(1000, 0)
        loop.call_soon(timer.feed, EV_TIMER)
        assert await timer == EV_TIMER
        assert not timer.active

    run(main())


def test_callback_set_later(loop, run):
    seen = []

    async def main():
        timer = loop.timer(0, 0)
        timer.callback = lambda watcher, revents: seen.append(revents)
        timer.start()
        await asyncio.sleep(0.01)
        timer.callback = None
        assert await timer == EV_TIMER

    run(main())
    assert seen == [EV_TIMER]


# A Tree has several changes to tell at once


def test_tree_one_after_the_other(loop, run, tmp_path):
    async def main():
        told = []
        tree = loop.tree(tmp_path)
        iteration = aiter(tree)
        for name in "abc":
            (tmp_path / name).mkdir()
        async for change in iteration:
            told.append((change.kind, os.path.basename(change.path)))
            if len(told) == 1:
                (tmp_path / "late").mkdir()
                await asyncio.sleep(0.05)  # nobody waits meanwhile
            if len(told) == 4:
                break
        del iteration
        gc.collect()
        assert told == [("created", name) for name in ("a", "b", "c", "late")]
        assert not tree.active and loop.watchers == ()

    run(main())


def test_tree_awaited(loop, run, tmp_path):
    async def main():
        loop.call_later(0, (tmp_path / "a").mkdir)
        changes = await loop.tree(tmp_path)
        assert [change[:2] for change in changes] == [("created", str(tmp_path / "a"))]
        assert loop.watchers == ()
        with pytest.raises(FileNotFoundError):
            await loop.tree(tmp_path / "none")

    run(main())


def test_tree_whose_root_goes_ends_the_iteration(loop, run, tmp_path):
    async def main():
        root = tmp_path / "root"
        root.mkdir()
        loop.call_later(0, root.rmdir)
        kinds = [change.kind async for change in loop.tree(root)]
        assert kinds == ["deleted"]

    run(main())
