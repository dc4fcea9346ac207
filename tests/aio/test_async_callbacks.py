"""Callbacks of watchers that are coroutine functions: an EventLoop runs each as a task."""

import asyncio
import functools
import gc
import os
import signal

import pytest

from everloop import EV_READ, Embed, Loop, Timer


def test_callback_of_each_kind(loop, run):
    read, write = os.pipe()
    os.write(write, b"x")
    kinds = {
        "io": lambda callback: loop.io(read, EV_READ, callback),
        "timer": lambda callback: loop.timer(0.0, 0.0, callback),
        "periodic": lambda callback: loop.periodic(0.0, 0.01, callback),
        "scheduler": lambda callback: loop.scheduler(lambda watcher, now: now + 0.01, callback),
        "signal": lambda callback: loop.signal(signal.SIGUSR1, callback),
        "idle": loop.idle,
        "prepare": loop.prepare,
        "check": loop.check,
        "async": loop.async_,
    }

    async def main():
        for name, make in kinds.items():
            told = loop.create_future()

            async def callback(watcher, revents, told=told):
                watcher.stop()
                await asyncio.sleep(0)
                if not told.done():  # such as a Check may be called again before it stops
                    told.set_result((watcher, asyncio.current_task()))

            watcher = make(callback)
            assert watcher.callback is callback
            watcher.start()
            if name == "signal":
                signal.raise_signal(signal.SIGUSR1)
            elif name == "async":
                watcher.send()
            loop.call_later(0.01, int)  # Check needs something to have been waited for
            given, task = await told
            assert given is watcher and task is not asyncio.current_task()

    run(main())
    os.close(read)
    os.close(write)


def test_whatever_returns_a_coroutine(loop, run):
    async def note(seen, watcher, revents):
        await asyncio.sleep(0)
        seen.append(watcher)

    class Noting:
        def __init__(self, seen):
            self.seen = seen

        async def __call__(self, watcher, revents):
            await note(self.seen, watcher, revents)

        async def method(self, watcher, revents):
            await note(self.seen, watcher, revents)

    async def main():
        seen = []
        for callback in (
            functools.partial(note, seen),
            lambda watcher, revents: note(seen, watcher, revents),
            Noting(seen),
            Noting(seen).method,
        ):
            Timer(0.0, 0.0, loop, callback).start()
            loop.timer(0.0, 0.0, callback).start()
        while len(seen) < 8:
            await asyncio.sleep(0.001)

    run(main())


def test_task_is_kept_while_it_waits(loop, run):
    async def main():
        go_on, done = loop.create_future(), []

        async def callback(watcher, revents):
            await asyncio.shield(go_on)
            done.append(watcher)

        loop.timer(0.0, 0.0, callback).start()
        await asyncio.sleep(0.01)
        gc.collect()
        go_on.set_result(None)
        await asyncio.sleep(0.01)
        assert len(done) == 1

    run(main())


def test_exception_goes_to_the_loops_handler(loop, run, handled):
    async def fail(watcher, revents):
        raise ZeroDivisionError

    async def main():
        loop.timer(0.0, 0.0, fail).start()
        while not handled:
            await asyncio.sleep(0.001)
            gc.collect()

    run(main())
    assert isinstance(handled[0]["exception"], ZeroDivisionError)


def test_given_later_and_invoked(loop, run):
    async def main():
        seen = []

        async def callback(watcher, revents):
            seen.append(revents)

        timer = loop.timer(60.0, 0.0, print)
        timer.callback = callback
        timer.invoke(EV_READ)
        with Loop() as inner:
            embed = Embed(inner, loop, callback)
            embed.callback = None
            embed.callback = callback
            embed.invoke(EV_READ)
        await asyncio.sleep(0.01)
        assert seen == [EV_READ, EV_READ]

    run(main())


def test_others_are_refused(loop):
    async def coroutine(watcher, revents):
        pass

    async def asynchronous_generator(watcher, revents):
        yield

    def generator(watcher, revents):
        yield

    for callback in (generator, asynchronous_generator):
        with pytest.raises(TypeError, match="generator function"):
            loop.timer(0.0, 0.0, callback)
    with pytest.raises(TypeError, match="coroutine or generator function"):
        loop.scheduler(coroutine, print)
    with Loop() as plain, pytest.raises(TypeError, match="coroutine or generator function"):
        plain.timer(0.0, 0.0, coroutine)
