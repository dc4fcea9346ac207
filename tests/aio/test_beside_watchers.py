"""Watchers and coroutines in one loop."""

import asyncio
import os

import pytest

import everloop
from everloop import EV_READ, EVBREAK_ALL, EVRUN_NOWAIT, EVRUN_ONCE, Check, Error, Idle, Loop

from .helpers import in_thread


@pytest.fixture
def noted():
    """A list, and a function that makes callbacks which append a name to it."""

    def note(name):
        return lambda *args: seen.append(name)

    seen = []
    return seen, note


PRIORITIES = (2, 1, 0, -1, -2)


def test_ready_calls_have_priority_0(loop, noted):
    seen, note = noted
    watchers = [Check(loop, note(priority), None, priority) for priority in PRIORITIES]
    for watcher in watchers:
        watcher.start()
    for _ in range(3):
        del seen[:]
        loop.call_soon(seen.append, "ready")
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert seen[: len(PRIORITIES) + 1] == [2, 1, "ready", 0, -1, -2]


def test_events_that_calls_feed(loop, noted):
    """They belong to the turn; calls that are asked for in it are made in the next."""
    seen, note = noted
    watchers = [Check(loop, note(priority), None, priority) for priority in PRIORITIES]

    def feed():
        loop.call_soon(seen.append, "ready")
        for watcher in watchers:
            watcher.feed(0)

    loop.call_soon(feed)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    assert seen == [2, 1, 0, -1, -2, "ready"]


def test_timers_and_readers_of_asyncio_have_priority_0(loop, noted):
    seen, note = noted
    ends = os.pipe()
    os.write(ends[1], b"x")
    watchers = [loop.io(ends[0], EV_READ, note(priority), None, priority) for priority in (1, -1)]
    for watcher in watchers:
        watcher.start()
    loop.add_reader(ends[0], seen.append, "reader")
    loop.call_later(0, seen.append, "timer")
    loop.start(EVRUN_ONCE)
    assert seen[0] == 1 and seen[-1] == -1 and sorted(seen[1:-1]) == ["reader", "timer"]
    loop.remove_reader(ends[0])
    for watcher in watchers:
        watcher.stop()
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("priority", PRIORITIES)
def test_idle_watchers_wait_for_the_calls(loop, noted, priority):
    seen, note = noted

    def chain(left):
        seen.append("call")
        if left:
            loop.call_soon(chain, left - 1)

    def idled(watcher, revents):
        seen.append("idle")
        loop.stop()

    idle = Idle(loop, idled, None, priority)
    idle.start()
    loop.call_soon(chain, 100)
    loop.run_forever()
    assert seen == ["call"] * 101 + ["idle"]


def test_watchers_while_coroutines_wait(loop, run):
    async def main():
        future = loop.create_future()
        ticked = asyncio.Event()

        def tick(watcher, revents):
            seen.append(watcher.active)
            ticked.set()

        def end(watcher, revents):
            watcher.stop()
            future.set_result("done")

        with loop.timer(0.001, 0.001, tick), loop.periodic(0, 0.005, end):
            # Either may be the first: the wall clock may be about to reach its multiple.
            assert await future == "done"
            await ticked.wait()
        return seen

    seen = []
    assert run(main())


def test_watchers_resume_coroutines(loop, run):
    """What a watcher of any priority does for a coroutine happens without other events."""

    async def main(priority):
        future = loop.create_future()
        timer = loop.timer(0.001, 0, lambda *args: future.set_result(1), None, priority)
        timer.start()
        return await future

    for priority in PRIORITIES:
        assert run(main(priority)) == 1


def test_asyncs_and_children(loop, run):
    async def main():
        sent, ended = asyncio.Event(), loop.create_future()
        wake = loop.async_(lambda watcher, revents: sent.set())
        with wake:
            in_thread(wake.send)
            await sent.wait()
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], os.environ)
        child = loop.child(
            pid, False, lambda watcher, revents: ended.set_result(watcher.returncode)
        )
        with child:
            assert await ended == 3

    run(main())


def test_failing_watchers_let_coroutines_go_on(loop, run, reported):
    timer = loop.timer(0, 0, lambda watcher, revents: 1 / 0)
    timer.start()
    run(asyncio.sleep(0.01))
    assert [type(error) for error, _ in reported] == [ZeroDivisionError]


# Loop.start


def test_start_runs_coroutines(loop):
    async def main():
        seen.append(asyncio.get_running_loop())
        for _ in range(100):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        seen.append("done")

    seen = []
    task = loop.create_task(main())
    assert loop.start() is False
    assert seen == [loop, "done"] and task.done()


def test_start_makes_all_calls(loop):
    def chain(left):
        seen.append(left)
        if left:
            loop.call_soon(chain, left - 1)

    seen = []
    loop.call_soon(chain, 100)
    assert loop.start() is False
    assert len(seen) == 101


def test_start_returns_when_nothing_is_left(loop):
    assert loop.start() is False
    timer = loop.call_later(0.001, int)
    assert loop.start(EVRUN_NOWAIT) in (False, True)
    assert loop.start() is False
    assert not timer._scheduled


def test_start_within_a_call(loop, run):
    """Runs what is due, and the loop still runs afterwards."""

    async def main():
        seen = []
        loop.call_soon(seen.append, "call")
        timer = loop.timer(0, 0, lambda watcher, revents: seen.append("watcher"))
        timer.start()
        loop.start(EVRUN_NOWAIT)
        loop.start(EVRUN_NOWAIT)
        assert sorted(seen) == ["call", "watcher"]
        assert asyncio.get_running_loop() is loop and loop.is_running()
        await asyncio.sleep(0.001)

    run(main())


def test_start_in_a_second_thread(loop, run):
    async def main():
        assert isinstance(in_thread(loop.start), (Error, RuntimeError))

    run(main())


def test_start_beside_another_loop(loop, run):
    async def main():
        with everloop.new_event_loop() as other:
            with pytest.raises(RuntimeError):
                other.start(EVRUN_NOWAIT)
            with pytest.raises(RuntimeError):
                other.run_forever()
        with Loop() as other:
            seen = []
            timer = other.timer(0, 0, lambda watcher, revents: seen.append(1))
            timer.start()
            other.start()
            assert seen == [1]

    run(main())


def test_stop_all_ends_nested_runs(loop):
    timer = loop.timer(0.001, 0, lambda watcher, revents: loop.stop(EVBREAK_ALL))
    seen = []
    loop.call_soon(lambda: (timer.start(), loop.start(), seen.append(1)))
    loop.run_forever()
    assert seen == [1] and not loop.is_running()


def test_stop_one_ends_the_inner_run(loop):
    seen = []
    timer = loop.timer(0.001, 0, lambda watcher, revents: loop.stop())
    loop.call_soon(lambda: (timer.start(), loop.start(), seen.append("inner")))
    loop.call_later(0.05, lambda: (seen.append("outer"), loop.stop()))
    loop.run_forever()
    assert seen == ["inner", "outer"]


@pytest.mark.parametrize("where", ["call", "timer", "watcher", "task", "reader"])
def test_close_in_callbacks(run_program, where):
    """Loop.close() in a callback, past what EventLoop.close() forbids: no crash, no hang."""
    run_program(
        f"""
        import asyncio
        loop = ev.new_event_loop()
        def end(*args):
            Loop.close(loop)
        async def main():
            end()
        ends = pipe()
        os.write(ends[1], b"x")
        where = {where!r}
        if where == "call":
            loop.call_soon(end)
        elif where == "timer":
            loop.call_later(0, end)
        elif where == "watcher":
            timer = loop.timer(0, 0, end)
            timer.start()
        elif where == "reader":
            loop.add_reader(ends[0], end)
        else:
            task = loop.create_task(main())
        loop.call_soon(noop, 1, 2)
        try:
            loop.run_forever()
        except (Error, RuntimeError) as error:
            pass
        loop.close()
        print(loop.closed, loop.is_closed(), loop.is_running())
        """,
        "True True False",
    )


def test_close_is_refused_while_the_loop_runs(loop, run):
    async def main():
        with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
            loop.close()

    run(main())


def test_watchers_can_be_given_the_running_loop(loop, run):
    async def main():
        future = loop.create_future()
        timer = everloop.Timer(
            0.001, 0, asyncio.get_running_loop(), lambda *args: future.set_result(1)
        )
        timer.start()
        await future

    run(main())


def test_fork_watchers_are_of_this_loop(loop, noted):
    seen, note = noted
    fork = loop.fork(note("fork"))
    fork.start()
    loop.reset()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["fork"]
