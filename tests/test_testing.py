"""everloop.testing and its fixtures for pytest: clocks that tests advance."""

import asyncio
import os
import socket
import subprocess
import sys
import time

import pytest
from patience import patient

import everloop
from everloop import EV_READ, EVBACKEND_POLL, Error, EventLoop, Loop, ManualClock
from everloop.testing import SteppingClock

pytest_plugins = ["pytester"]


def noop(*args):
    pass


@pytest.fixture(params=[Loop, EventLoop])
def stepped(request):
    loop = request.param()
    yield loop, SteppingClock(loop)
    loop.verify()
    loop.close()


# The clock


def test_what_becomes_due_is_run_each_at_its_time(stepped):
    loop, clock = stepped
    start, seen = loop.now(), []

    def note(name):
        return lambda *args: seen.append((name, round(loop.now() - start, 6)))

    loop.timer(3600.0, 0.0, note("hour")).start()
    loop.timer(60.0, 600.0, note("again")).start()
    clock.advance(59.9)
    assert seen == []
    clock.advance(0.1)
    assert seen == [("again", 60.0)]
    clock.advance(3600.0 - 60.0)
    assert [name for name, _ in seen] == ["again"] * 6 + ["hour"]
    assert [at for _, at in seen] == [60.0, 660.0, 1260.0, 1860.0, 2460.0, 3060.0, 3600.0]


def test_what_those_start_is_run_too(stepped):
    loop, clock = stepped
    seen = []

    def again(timer, revents):
        seen.append(loop.now())
        loop.timer(1.0, 0.0, again).start()

    loop.timer(1.0, 0.0, again).start()
    clock.advance(10.0)
    assert len(seen) == 10


def test_repeating_timers_do_not_get_lost_by_rounding(stepped):
    loop, clock = stepped
    seen = []
    loop.timer(0.1, 0.1, lambda *args: seen.append(1)).start()
    for _ in range(10):
        clock.advance(1.0)
    assert len(seen) == 100


def test_dates_and_jumps_of_the_wall_clock(stepped):
    loop, clock = stepped
    seen = []
    noon = 1_000_000_000.0 + 7200.0
    loop.periodic(noon, 0.0, lambda *args: seen.append("noon")).start()
    clock.advance(3600.0)
    assert not seen
    clock.set_wall(noon + 1.0)
    assert seen == ["noon"]


def test_calls_timers_and_tasks_of_an_event_loop():
    with EventLoop() as loop:
        clock = SteppingClock(loop)
        seen = []

        async def main():
            for number in range(3):
                await asyncio.sleep(60)
                seen.append(number)
            return "done"

        loop.call_later(90, seen.append, "call")
        task = loop.create_task(main())
        clock.advance(0)
        assert not seen
        clock.advance(100)
        assert seen == [0, "call"]
        clock.advance(100)
        assert task.result() == "done"


def test_in_a_coroutine_time_passes_by_waiting():
    with EventLoop() as loop:
        clock = SteppingClock(loop)
        seen = []
        loop.call_later(1800, seen.append, "call")

        async def main():
            await asyncio.sleep(3600)
            with pytest.raises(Error, match="wait there instead"):
                clock.advance(1.0)
            with pytest.raises(Error, match="wait there instead"):
                clock.set_wall(1.0)
            return loop.time()

        before, begin = loop.time(), time.monotonic()
        assert loop.run_until_complete(main()) - before == pytest.approx(3600)
        assert seen == ["call"]
        assert time.monotonic() - begin < patient(60)


def test_descriptors_are_served_as_long_as_they_bring_something(stepped):
    loop, clock = stepped
    ends = socket.socketpair()
    seen = []

    def readable(io, revents):
        seen.append(ends[io.data].recv(1))
        if len(seen) < 5:
            ends[io.data].send(b"x")

    ios = [loop.io(ends[number], EV_READ, readable, number) for number in range(2)]
    for io in ios:
        io.start()
    ends[0].send(b"x")
    clock.advance(0)
    assert len(seen) == 5
    for io, end in zip(ios, ends, strict=True):
        io.stop()
        end.close()


def test_several_loops_in_one_time():
    with Loop() as one, EventLoop() as two:
        clock = SteppingClock(one, two)
        seen = []
        one.timer(2.0, 2.0, lambda *args: seen.append("one")).start()
        two.call_later(3.0, seen.append, "two")
        clock.advance(4.0)
        assert seen == ["one", "two", "one"]


def test_a_loop_that_never_rests(stepped):
    loop, clock = stepped
    seen = []
    idle = loop.idle(noop)
    idle.start()
    loop.timer(5.0, 0.0, lambda *args: seen.append(1)).start()
    clock.advance(10.0)
    assert seen == [1]
    idle.stop()


def test_a_loop_that_is_closed_meanwhile():
    loop = Loop()
    clock = SteppingClock(loop)
    loop.timer(5.0, 0.0, lambda *args: loop.close()).start()
    clock.advance(10.0)
    assert loop.closed
    clock.advance(10.0)


def test_on_another_backend():
    with Loop(EVBACKEND_POLL) as loop:
        clock = SteppingClock(loop)
        seen = []
        loop.timer(5.0, 0.0, lambda *args: seen.append(1)).start()
        clock.advance(5.0)
        assert seen == [1]


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_what_is_no_time(stepped, wrong):
    with pytest.raises(ValueError, match="seconds must be"):
        stepped[1].advance(wrong)


def test_it_is_a_manual_clock(loop):
    clock = SteppingClock(loop, monotonic=5.0, wall=7.0)
    assert isinstance(clock, ManualClock)
    assert loop.clock is clock
    loop.update()
    assert loop.now() == 7.0


# The fixtures

CONFTEST = 'pytest_plugins = ["everloop.pytest_plugin"]'


@pytest.fixture
def run_tests(pytester):
    """A function that runs a file of tests; what came out, by kind."""

    def run(source, *names):
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(source)
        result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio", "-W", "error")
        return result.parseoutcomes(), result.stdout.str()

    paths = [os.path.dirname(os.path.dirname(everloop.__file__)), os.environ.get("PYTHONPATH", "")]
    pytester.syspathinsert(paths[0])
    pytester._monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return run


def test_fixtures_of_both_faces(run_tests):
    outcomes, told = run_tests(
        """
        import asyncio, everloop

        def test_a_loop(everloop_loop, manual_clock):
            seen = []
            everloop_loop.timer(3600.0, 0.0, lambda *args: seen.append(1)).start()
            manual_clock.advance(3599.0)
            assert not seen
            manual_clock.advance(1.0)
            assert seen

        def test_an_event_loop(everloop_event_loop, manual_clock):
            async def main():
                await asyncio.sleep(3600)
                return asyncio.get_running_loop()

            task = everloop_event_loop.create_task(main())
            manual_clock.advance(3599)
            assert not task.done()
            manual_clock.advance(1)
            assert task.result() is everloop_event_loop

        def test_both(everloop_loop, everloop_event_loop, manual_clock):
            assert everloop_loop.clock is everloop_event_loop.clock is manual_clock

        def test_the_clock_alone(manual_clock):
            assert len(manual_clock.loops) == 1

        def test_in_real_time(everloop_event_loop):
            assert everloop_event_loop.run_until_complete(asyncio.sleep(0.001, 42)) == 42

        def test_closed_by_the_test(everloop_loop, everloop_event_loop):
            everloop_loop.close()
            everloop_event_loop.close()

        def test_what_is_left_is_put_away(everloop_event_loop, manual_clock):
            async def forever():
                await everloop_event_loop.run_in_executor(None, int)
                await asyncio.sleep(1e6)

            everloop_event_loop.left = everloop_event_loop.create_task(forever())
            manual_clock.advance(1)
        """
    )
    assert outcomes == {"passed": 7}, told


def test_what_goes_wrong_in_callbacks_fails_the_test(run_tests):
    outcomes, told = run_tests(
        """
        def test_in_a_watcher(everloop_loop, manual_clock):
            everloop_loop.timer(1.0, 0.0, lambda *args: 1 / 0).start()
            manual_clock.advance(1.0)

        def test_in_a_call(everloop_event_loop, manual_clock):
            everloop_event_loop.call_later(1.0, lambda: 1 / 0)
            manual_clock.advance(1.0)

        def test_with_a_handler_of_its_own(everloop_event_loop, manual_clock):
            seen = []
            everloop_event_loop.set_exception_handler(lambda loop, context: seen.append(context))
            everloop_event_loop.call_later(1.0, lambda: 1 / 0)
            manual_clock.advance(1.0)
            assert seen
        """
    )
    assert outcomes == {"failed": 1, "passed": 2, "errors": 1}, told
    assert told.count("ZeroDivisionError: division by zero") >= 2


def test_nothing_is_loaded_that_is_not_asked_for():
    program = (
        "import sys, everloop.testing\n"
        "print('pytest' in sys.modules, 'asyncio' in sys.modules)\n"
        "print([name for name in sys.modules if name == 'everloop.pytest_plugin'])\n"
    )
    paths = [os.path.dirname(os.path.dirname(everloop.__file__)), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert done.stdout.split() == ["False", "False", "[]"], done.stderr
