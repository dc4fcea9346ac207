"""An EventLoop that is embedded in another loop does everything there."""

import asyncio
import contextlib
import os
import signal
import threading

import pytest
from patience import patient

import everloop
from everloop import EV_EMBED, EV_READ, EVRUN_NOWAIT

from .helpers import connection

LONG = patient(20)


@pytest.fixture
def inner(loop):
    return loop


@pytest.fixture(params=["Loop", "EventLoop.start", "EventLoop.run_forever"])
def outer(request):
    """A loop to embed another in; ``outer.run_until(done)`` runs it."""
    kind, _, way = request.param.partition(".")

    class Outer(getattr(everloop, kind)):
        def run_until(self, done, timeout=LONG):
            check = self.prepare(lambda watcher, revents: done() and self.stop())
            late = self.timer(timeout, 0.0, lambda watcher, revents: self.stop())
            with check, late:
                (self.run_forever if way == "run_forever" else self.start)()
            assert done(), "not in time"

    loop = Outer()
    yield loop
    loop.verify()
    loop.close()


def embedded(outer, inner, *args, **kwargs):
    return outer.embed(inner, *args, **kwargs)


# What runs


def test_tasks(outer, inner):
    async def main():
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        return asyncio.get_running_loop()

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    assert task.result() is inner


def test_calls_and_timers(outer, inner):
    order = []
    inner.call_later(0.01, order.append, "later")
    inner.call_at(inner.time() + 0.02, order.append, "at")
    inner.call_soon(order.append, "soon")
    with embedded(outer, inner):
        outer.run_until(lambda: len(order) == 3)
    assert order == ["soon", "later", "at"]


def test_a_chain_of_calls_starves_nobody(outer, inner):
    links = []

    def link():
        links.append(1)
        inner.call_soon(link)

    ticks = []
    inner.call_soon(link)
    ticking = outer.timer(0.001, 0.001, lambda watcher, revents: ticks.append(1))
    with embedded(outer, inner), ticking:
        outer.run_until(lambda: len(ticks) >= 3 and len(links) >= 100)


def test_what_the_outer_loop_asks_for(outer, inner):
    """By its callbacks, in every phase, while the inner loop has nothing to do."""
    done = []

    def ask(name):
        def callback(watcher, revents):
            watcher.stop()
            inner.call_soon(done.append, f"{name} soon")
            inner.call_later(0.001, done.append, f"{name} later")

        return callback

    watchers = [
        outer.timer(0.01, 0.0, ask("timer")),
        outer.prepare(ask("prepare"), priority=-2),
        outer.check(ask("check")),
    ]
    with embedded(outer, inner):
        for watcher in watchers:
            watcher.start()
        outer.run_until(lambda: len(done) == 6)


def test_calls_of_other_threads(outer, inner, when_blocked):
    done = []
    with embedded(outer, inner):
        when_blocked(lambda: inner.call_soon_threadsafe(done.append, 1))
        outer.run_until(lambda: done)


def test_coroutines_of_other_threads(outer, inner):
    async def answer():
        await asyncio.sleep(0.01)
        return 42

    future = None

    def ask():
        nonlocal future
        future = asyncio.run_coroutine_threadsafe(answer(), inner)

    with embedded(outer, inner):
        threading.Timer(0.05, ask).start()
        outer.run_until(lambda: future is not None and future.done())
    assert future.result() == 42


def test_results_of_executors(outer, inner):
    async def main():
        return await asyncio.to_thread(threading.get_ident)

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    assert task.result() != threading.get_ident()


def test_watchers(outer, inner, pipe):
    r, w = pipe()
    called = []
    watchers = [
        inner.io(r, EV_READ, lambda io, revents: called.append(os.read(r, 10))),
        inner.timer(0.01, 0.0, lambda timer, revents: called.append("timer")),
        inner.async_(lambda watcher, revents: called.append("async")),
        inner.periodic(0.0, 0.05, lambda watcher, revents: called.append("periodic")),
    ]
    with contextlib.ExitStack() as stack:
        for watcher in watchers:
            stack.enter_context(watcher)
        stack.enter_context(embedded(outer, inner))
        os.write(w, b"data")
        watchers[2].send()
        outer.run_until(lambda: {b"data", "timer", "async", "periodic"} <= set(called))


def test_awaited_watchers(outer, inner):
    async def main():
        await inner.timer(0.01, 0.0)
        return "done"

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)


def test_transports(outer, inner):
    async def main():
        async with connection() as made:
            made.peer.send(b"question")
            while not made.protocol.data:
                await asyncio.sleep(0.001)
            made.transport.write(b"answer")
            await asyncio.sleep(0.01)
            return bytes(made.protocol.data), made.peer.recv(100)

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    assert task.result() == (b"question", b"answer")


def test_a_server_and_its_client(outer, inner):
    async def serve(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    assert task.result() == b"hello\n"


def test_subprocesses(outer, inner):
    async def main():
        process = await asyncio.create_subprocess_exec("true")
        return await process.wait()

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    assert task.result() == 0


# Which loop runs


def test_each_is_the_running_loop_in_its_own_callbacks(inner):
    outer = everloop.EventLoop()
    seen = []

    async def ask(name):
        for _ in range(3):
            seen.append((name, asyncio.get_running_loop(), asyncio.current_task().get_name()))
            await asyncio.sleep(0.001)

    async def main():
        await ask("outer")
        await asyncio.sleep(0.01)
        assert not inner.is_running()
        await task

    async def inside():
        await ask("inner")

    task = None

    async def wait_for(inner_task):
        while not inner_task.done():
            await asyncio.sleep(0.001)

    inner_task = inner.create_task(inside(), name="inner's")
    with outer.embed(inner):
        task = outer.create_task(wait_for(inner_task))
        outer.run_until_complete(outer.create_task(main(), name="outer's"))
    outer.close()
    loops = {"outer": (outer, "outer's"), "inner": (inner, "inner's")}
    assert len(seen) == 6
    assert all((loop, task) == loops[name] for name, loop, task in seen)
    assert asyncio._get_running_loop() is None


def test_sweeping_in_a_coroutine_of_the_outer_loop(inner):
    outer = everloop.EventLoop()

    async def inside():
        return asyncio.current_task(), asyncio.get_running_loop()

    async def main():
        embed = outer.embed(inner, lambda embed, revents: None)
        with embed:
            task = inner.create_task(inside())
            me = asyncio.current_task()
            embed.sweep()
            assert task.done()
            assert asyncio.current_task() is me
            assert asyncio.get_running_loop() is outer
            return task

    task = outer.run_until_complete(main())
    assert task.result() == (task, inner)
    outer.close()


def test_asynchronous_generators_are_known_to_their_loop(outer, inner):
    closed = []

    async def numbers():
        try:
            yield 1
        finally:
            closed.append(asyncio.get_running_loop())

    async def main():
        generator = numbers()
        await anext(generator)
        return generator

    task = inner.create_task(main())
    with embedded(outer, inner):
        outer.run_until(task.done)
    inner.run_until_complete(inner.shutdown_asyncgens())
    assert closed == [inner]


# When


def test_with_a_callback_that_has_to_sweep(outer, inner):
    called, done = [], []

    def callback(embed, revents):
        called.append(revents)
        embed.sweep()

    inner.call_soon(done.append, 1)
    inner.call_later(0.01, done.append, 2)
    with embedded(outer, inner, callback):
        outer.run_until(lambda: len(done) == 2)
    assert set(called) == {EV_EMBED}


def test_an_idle_loop_costs_nothing(outer, inner):
    """The outer loop sleeps while the inner one has nothing to do, or a timer to wait for."""
    timer = inner.call_later(1000, print)
    passes = []

    def sample(watcher, revents):
        passes.append(outer.iteration)

    sampling = outer.timer(0.1, 0.1, sample)
    with embedded(outer, inner), sampling:
        inner.call_soon_threadsafe(int)
        outer.run_until(lambda: len(passes) >= 3)
    timer.cancel()
    assert passes[-1] - passes[-2] <= 5, passes


def test_one_pass_without_waiting(outer, inner):
    done = []
    with embedded(outer, inner):
        inner.call_soon(done.append, 1)
        for _ in range(3):
            outer.start(EVRUN_NOWAIT)
    assert done == [1]


def test_stopped_it_runs_no_longer_but_by_itself(outer, inner):
    done = []
    with embedded(outer, inner):
        inner.call_soon(done.append, 1)
        outer.run_until(lambda: done)
    inner.call_soon(done.append, 2)
    for _ in range(3):
        outer.start(EVRUN_NOWAIT)
    assert done == [1]
    inner.run_until_complete(asyncio.sleep(0.001))
    assert done == [1, 2]


def test_run_by_itself_in_between(outer, inner):
    done = []
    with embedded(outer, inner):
        assert inner.run_until_complete(asyncio.sleep(0.001, "by itself")) == "by itself"
        inner.run_until_complete(inner.create_task(asyncio.sleep(0)))
        inner.call_later(0.01, done.append, 1)
        outer.run_until(lambda: done)


def test_three_loops(outer, inner):
    done = []

    async def main():
        await asyncio.sleep(0.01)
        done.append(asyncio.get_running_loop())

    with everloop.EventLoop() as middle, outer.embed(middle), middle.embed(inner):
        inner.create_task(main())
        middle.call_later(0.005, done.append, "middle")
        outer.run_until(lambda: len(done) == 2)
    assert set(done) == {inner, "middle"}


def test_two_loops_in_one(outer, inner):
    done = []
    with everloop.EventLoop() as other, outer.embed(other), outer.embed(inner):
        for loop in (inner, other):
            loop.call_soon(done.append, loop)
            loop.call_later(0.01, done.append, loop)
        outer.run_until(lambda: len(done) == 4)
    assert set(done) == {inner, other}


def test_one_loop_in_two(outer, inner):
    """Each of them runs it; it needs a host until the last one has stopped."""
    done = []
    with everloop.Loop() as other, outer.embed(inner), other.embed(inner):
        inner.call_soon(done.append, 1)
        other.start(EVRUN_NOWAIT)
        other.start(EVRUN_NOWAIT)
        assert done == [1]
        inner.call_soon(done.append, 2)
        outer.run_until(lambda: len(done) == 2)


# What goes wrong


def test_exceptions_in_calls_are_the_inner_loops(outer, inner, handled):
    inner.call_soon(lambda: 1 / 0)
    with embedded(outer, inner):
        outer.run_until(lambda: handled)
    assert isinstance(handled[0]["exception"], ZeroDivisionError)


def test_an_interrupt_leaves_both(outer, inner):
    def leave():
        raise KeyboardInterrupt

    inner.call_soon(leave)
    with embedded(outer, inner):
        with pytest.raises(KeyboardInterrupt):
            outer.run_until(lambda: False)
        assert asyncio._get_running_loop() is None
        done = []
        inner.call_soon(done.append, 1)
        outer.run_until(lambda: done)


def test_stop_ends_the_pass_of_the_inner_loop_alone(outer, inner):
    done = []
    inner.call_soon(inner.stop)
    inner.call_later(0.01, done.append, 1)
    with embedded(outer, inner):
        outer.run_until(lambda: done)


def test_closed_while_embedded(outer):
    inner = everloop.EventLoop()
    embed = embedded(outer, inner)
    embed.start()
    inner.call_later(0.01, print)
    outer.start(EVRUN_NOWAIT)
    inner.close()
    assert not embed.active
    outer.start(EVRUN_NOWAIT)


def test_the_outer_loop_closed_first(inner):
    done = []
    outer = everloop.Loop()
    outer.embed(inner).start()
    inner.call_soon(done.append, 1)
    outer.start(EVRUN_NOWAIT)
    outer.close()
    inner.run_until_complete(asyncio.sleep(0))
    assert done == [1]


def test_signal_handlers(outer, inner):
    done = []
    inner.add_signal_handler(signal.SIGUSR1, done.append, 1)
    with embedded(outer, inner):
        outer.start(EVRUN_NOWAIT)
        os.kill(os.getpid(), signal.SIGUSR1)
        outer.run_until(lambda: done)
    inner.remove_signal_handler(signal.SIGUSR1)


def test_goes_on_in_a_forked_child(run_program):
    run_program(
        """
        import asyncio
        outer, inner = Loop(), ev.EventLoop()
        outer.embed(inner).start()
        inner.call_soon(print, "before")
        outer.start(EVRUN_NOWAIT)
        outer.start(EVRUN_NOWAIT)
        def use(name):
            inner.call_soon(print, name, "soon")
            def end():
                print(name, "later", flush=True)
                outer.stop()
            inner.call_later(0.01, end)
            outer.start()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            use("child")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        use("parent")
        """,
        "before child soon child later parent soon parent later",
    )
