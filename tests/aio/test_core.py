"""Core: calls, exceptions, threads, fairness and stop(), as asyncio has them."""

import asyncio
import math
import os
import re
import shutil
import signal
import sys
import threading
import time
from fractions import Fraction

import pytest

import everloop

from .helpers import PATIENCE, in_thread


class OddError(BaseException):
    """Neither an Exception nor something that ends programs."""


# stop()


def test_stop_ends_the_loop_after_the_calls_that_are_ready(loop):
    seen = []
    loop.call_soon(seen.append, 1)
    loop.call_soon(loop.stop)
    loop.call_soon(lambda: (seen.append(2), loop.call_soon(seen.append, 3)))
    loop.run_forever()
    assert seen == [1, 2]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [1, 2, 3]


def test_stop_before_run_forever_gives_one_round(loop):
    seen = []
    loop.call_soon(lambda: (seen.append(1), loop.call_soon(seen.append, 2)))
    loop.stop()
    loop.run_forever()
    assert seen == [1]
    loop.stop()
    loop.run_forever()
    assert seen == [1, 2]


def test_stop_before_run_forever_looks_at_descriptors_and_timers(loop, pair):
    seen = []
    one, other = pair()
    other.send(b"x")
    loop.add_reader(one, seen.append, "reader")
    loop.call_later(0, seen.append, "timer")
    for _ in range(3):
        loop.stop()
        loop.run_forever()
    assert "reader" in seen and "timer" in seen
    loop.remove_reader(one)


def test_stop_that_is_taken_back(loop):
    seen = []
    loop.stop()
    loop.stop(everloop.EVBREAK_CANCEL)
    loop.call_later(0.01, lambda: (seen.append(1), loop.stop()))
    loop.run_forever()
    assert seen == [1]


@pytest.mark.parametrize("how", ["timer", "reader", "watcher", "thread", "unbound"])
def test_stop_from_everywhere(loop, pair, when_blocked, how):
    one, other = pair()
    if how == "timer":
        loop.call_later(0.01, loop.stop)
    elif how == "reader":
        other.send(b"x")
        loop.add_reader(one, loop.stop)
    elif how == "watcher":
        timer = loop.timer(0.01, 0, lambda watcher, revents: loop.stop())
        timer.start()
    elif how == "unbound":
        loop.call_soon(everloop.Loop.stop, loop)
    else:
        when_blocked(lambda: loop.call_soon_threadsafe(loop.stop))
    loop.run_forever()
    assert not loop.is_running()
    loop.remove_reader(one)


def test_run_until_complete_that_is_stopped(loop):
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError, match="stopped before Future completed"):
        loop.run_until_complete(future)


# Exceptions


def test_exceptions_go_to_the_handler(loop, run_round, handled):
    seen = []
    errors = [ValueError("one"), OddError("two"), asyncio.CancelledError("three")]

    def fail(error):
        raise error

    handles = [loop.call_soon(fail, error) for error in errors]
    loop.call_soon(seen.append, "after")
    run_round()
    assert [each["exception"] for each in handled] == errors
    assert [each["handle"] for each in handled] == handles
    assert all(each["message"].startswith("Exception in callback ") for each in handled)
    assert seen == ["after"]


def test_the_handle_of_a_timer_that_raised(loop, run, handled):
    timer = loop.call_later(0, lambda: 1 / 0)
    run(asyncio.sleep(0.01))
    assert handled[0]["handle"] is timer


def test_exceptions_of_readers_go_to_the_handler(loop, run, handled, pair):
    one, other = pair()
    other.send(b"x")
    loop.add_reader(one, lambda: (one.recv(1), 1 / 0))
    run(asyncio.sleep(0.01))
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
    loop.remove_reader(one)


def test_exceptions_without_a_handler_are_logged(loop, run_round, caplog):
    loop.set_exception_handler(None)
    loop.call_soon(lambda: 1 / 0)
    run_round()
    assert "Exception in callback" in caplog.text and "ZeroDivisionError" in caplog.text


def test_exception_handler_that_raises(loop, run_round, caplog):
    seen = []

    def fail(loop, context):
        raise ValueError("the handler")

    loop.set_exception_handler(fail)
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(seen.append, 1)
    run_round()
    assert seen == [1] and "Unhandled error in exception handler" in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["soon", "later", "reader", "watcher", "task"])
@pytest.mark.parametrize("debug", [False, True])
def test_what_ends_programs_leaves_run_forever(loop, run_round, pair, kind, where, debug):
    """And nothing that was ready is lost, but for the call that raised."""
    loop.set_debug(debug)
    loop.slow_callback_duration = 1000
    seen = []
    one, other = pair()

    def fail(*args):
        loop.remove_reader(one)
        for i in range(3):
            loop.call_soon(seen.append, i)
        raise kind("now")

    async def main():
        fail()

    other.send(b"x")
    if where == "soon":
        loop.call_soon(fail)
    elif where == "later":
        loop.call_later(0, fail)
    elif where == "reader":
        loop.add_reader(one, fail)
    elif where == "watcher":
        timer = loop.timer(0, 0, fail)
        timer.start()
    else:
        task = loop.create_task(main())
    loop.call_soon(seen.append, "ready")
    with pytest.raises(kind):
        loop.run_forever()
    assert not loop.is_running() and asyncio._get_running_loop() is None
    run_round()
    run_round()
    assert sorted(map(str, seen)) == ["0", "1", "2", "ready"]
    if where == "task":
        with pytest.raises(kind):
            task.result()


def test_timers_survive_an_interrupt(loop, run):
    seen = []
    when = loop.time()

    def fail():
        raise KeyboardInterrupt

    loop.call_at(when, fail)
    for i in range(5):
        loop.call_at(when, seen.append, i)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    run(asyncio.sleep(0.01))
    assert sorted(seen) == list(range(5))


# Timers


def test_timers_in_order(loop, run):
    seen = []
    now = loop.time()
    for after in (0.03, 0.01, 0.02, -5, 0):
        loop.call_at(now + after, seen.append, after)
    run(asyncio.sleep(0.05))
    assert seen == [-5, 0, 0.01, 0.02, 0.03]


def test_times_of_all_kinds(loop, run):
    async def main():
        for delay in (0, 0.001, Fraction(1, 1000), True - 1, -1, -math.inf):
            future = loop.create_future()
            loop.call_later(delay, future.set_result, delay)
            assert await future == delay

    run(main())


@pytest.mark.parametrize("delay", [1e9, 1e12, 1e300, math.inf])
def test_times_that_never_come(loop, run, delay):
    timer = loop.call_later(delay, pytest.fail)
    assert timer.when() >= delay
    run(asyncio.sleep(0.001))
    timer.cancel()


@pytest.mark.parametrize("bad", [None, "1", object()])
def test_what_is_no_time(loop, bad):
    for schedule in loop.call_later, loop.call_at:
        with pytest.raises(TypeError):
            schedule(bad, print)


def test_timers_are_never_early(loop, run):
    async def main():
        early = 0
        for i in range(1000):
            delay = 0.0001 + 0.0029 * (i * 7919 % 1000) / 1000
            begin, begin_of_loop = time.monotonic(), loop.time()
            await asyncio.sleep(delay)
            early += time.monotonic() - begin < delay or loop.time() - begin_of_loop < delay
        return early

    assert run(main()) == 0


def test_many_timers_together_are_never_early(loop, run):
    seen = []

    async def main():
        timers = [
            loop.call_later(i % 100 * 0.0001, lambda i=i: seen.append(loop.time() >= due[i]))
            for i in range(1000)
        ]
        due = [timer.when() for timer in timers]
        while len(seen) < 1000:
            await asyncio.sleep(0.001)

    run(main())
    assert all(seen)


def test_time_is_monotonic_time(loop):
    before = time.monotonic()
    assert before <= loop.time() <= time.monotonic()


def test_patched_time_is_honoured(loop, run):
    """As test libraries do, that move the time themselves."""
    now = [1000.0]
    loop.time = lambda: now[0]
    seen = []
    timer = loop.call_later(3600, lambda: (seen.append(now[0]), loop.stop()))
    assert timer.when() == 4600
    loop.call_soon(now.__setitem__, 0, 4600.0)
    loop.run_forever()
    assert seen == [4600]


def test_overridden_time_is_honoured():
    class Virtual(everloop.EventLoop):
        now = 0.0

        def time(self):
            return self.now

    def advance(to):
        seen.append(to)
        loop.now = to

    seen = []
    with Virtual() as loop:
        early = loop.call_later(10, lambda: (seen.append("early"), loop.call_soon(advance, 100)))
        assert early.when() == 10
        loop.call_at(100, lambda: (seen.append("late"), loop.stop()))
        # From a thread, since the loop waits by then.
        thread = threading.Timer(0.02, loop.call_soon_threadsafe, (advance, 50))
        thread.start()
        loop.run_forever()
        thread.join()
    assert seen == [50, "early", 100, "late"]


# Threads and signals


def test_wake_up_from_a_thread(loop, when_blocked):
    when_blocked(lambda: loop.call_soon_threadsafe(loop.stop))
    loop.run_forever()


def test_no_wake_up_is_lost(loop):
    """Each call waits for the one before, so that the loop goes to sleep in between."""
    done = threading.Event()

    def ask():
        for _ in range(2000):
            loop.call_soon_threadsafe(done.set)
            if not done.wait(PATIENCE):
                break
            done.clear()
        else:
            finished.append(True)
        loop.call_soon_threadsafe(loop.stop)

    finished = []
    thread = threading.Thread(target=ask)
    thread.start()
    loop.run_forever()
    thread.join()
    assert finished


def test_many_threads(loop):
    threads, calls = 8, 2000
    seen = {i: [] for i in range(threads)}
    left = [threads]

    def finished():
        left[0] -= 1
        if not left[0]:
            loop.stop()

    def ask(i):
        for n in range(calls):
            loop.call_soon_threadsafe(seen[i].append, n)
            if n % 100 == 0:
                time.sleep(0.0001)
        loop.call_soon_threadsafe(finished)

    asking = [threading.Thread(target=ask, args=(i,)) for i in range(threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in asking:
            thread.start()
        loop.run_forever()
    finally:
        sys.setswitchinterval(interval)
    for thread in asking:
        thread.join()
    assert all(order == list(range(calls)) for order in seen.values())


def test_many_calls_from_a_thread_are_made_at_once(loop, run):
    """While the loop is busy it need not be woken: all calls are made in few passes."""

    async def main():
        def ask():
            for _ in range(1000):
                loop.call_soon_threadsafe(seen.append, loop)

        seen = []
        in_thread(ask)
        before = loop.iteration
        await asyncio.sleep(0)
        assert len(seen) == 1000 and loop.iteration - before <= 2

    run(main())


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_many_calls_cost_one_wake_up(run_program, tmp_path):
    """Counted in the kernel's view: writes to the descriptor that wakes the loop."""
    trace = tmp_path / "trace"
    run_program(
        f"""
        import subprocess
        loop = ev.new_event_loop()
        strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "trace=write", "-o", {str(trace)!r}, "-p", str(os.getpid())],
            stderr=subprocess.PIPE,
        )
        asked = threading.Event()
        def ask():
            os.write(null, b"begins")
            for _ in range(1000):
                loop.call_soon_threadsafe(noop, 0, 0)
            os.write(null, b"ends")
            asked.set()
        null = os.open("/dev/null", os.O_WRONLY)
        # Until it is attached.
        while not os.path.exists({str(trace)!r}) or not os.path.getsize({str(trace)!r}):
            os.write(null, b"wait")
            time.sleep(0.01)
            if strace.poll() is not None:
                raise SystemExit(0)
        loop.call_soon(lambda: (threading.Thread(target=ask).start(), asked.wait()))
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
        loop.close()
        strace.terminate()
        strace.wait()
        strace.stderr.close()
        """,
        hangs_after=60,
    )
    text = trace.read_text()
    if "begins" not in text:
        pytest.skip("this process may not be traced")
    wakes = re.findall(r"write\(\d+, .*\\0\\0.*, 8\)", text.partition("begins")[2])
    assert len(wakes) <= 1


def test_signal_handlers_may_call(loop):
    """They run between any two instructions of the loop's thread, or while it waits."""
    left = [300]

    def call():
        left[0] -= 1
        if left[0] <= 0:
            loop.stop()
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)

    before = signal.signal(signal.SIGALRM, lambda *args: loop.call_soon_threadsafe(call))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        loop.run_forever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert left == [0]


def test_signal_handlers_that_raise(loop, run_round, when_blocked):
    def fail(*args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, fail)
    try:
        when_blocked(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
    finally:
        signal.signal(signal.SIGUSR1, before)
    run_round()


def test_signal_while_the_loop_is_flooded(loop):
    def flood():
        loop.call_soon(flood)

    def fail(*args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, fail)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        loop.call_soon(flood)
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_debug_mode_checks_threads(loop, run):
    async def main():
        calls = [
            (loop.call_soon, int),
            (loop.call_later, 1, int),
            (loop.call_at, 1, int),
        ]
        for call, *args in calls:
            error = in_thread(call, *args)
            assert isinstance(error, RuntimeError) and "Non-thread-safe" in str(error)
        assert isinstance(in_thread(loop.call_soon_threadsafe, int), asyncio.Handle)

    loop.set_debug(True)
    loop.slow_callback_duration = 1000
    run(main())


def test_debug_mode_checks_callbacks(loop):
    async def coroutine():
        pass

    loop.set_debug(True)
    for schedule in loop.call_soon, loop.call_soon_threadsafe:
        for bad in coroutine, 5:
            with pytest.raises(TypeError):
                schedule(bad)
    with pytest.raises(TypeError):
        loop.call_later(1, coroutine)
    with pytest.raises(TypeError):
        loop.call_at(1, 5)


# Fairness


def test_a_flood_of_calls_starves_nobody(loop, pair):
    seen = set()
    one, other = pair()
    other.send(b"x")

    def flood():
        if seen == {"timer", "reader", "watcher", "idea of a thread"}:
            loop.stop()
        loop.call_soon(flood)

    def watched(watcher, revents):
        seen.add("watcher")

    loop.call_soon(flood)
    loop.call_later(0.01, seen.add, "timer")
    loop.add_reader(one, lambda: (one.recv(1), seen.add("reader")))
    watcher = loop.timer(0.01, 0, watched)
    watcher.start()
    thread = threading.Timer(0.01, loop.call_soon_threadsafe, (seen.add, "idea of a thread"))
    thread.start()
    loop.run_forever()
    thread.join()
    loop.remove_reader(one)


def test_how_long_a_flood_can_delay_a_descriptor(loop, pair):
    one, other = pair()
    count = 0

    def flood():
        nonlocal count
        count += 1
        if count == 1000:
            other.send(b"x")
        assert count < 1100
        loop.call_soon(flood)

    loop.call_soon(flood)
    loop.add_reader(one, loop.stop)
    loop.run_forever()
    loop.remove_reader(one)
    assert 1000 <= count <= 1100


def test_busy_descriptors_starve_nobody(loop, pair):
    """Neither calls nor timers nor each other."""
    seen = dict.fromkeys(("reader", "writer", "timer", "call", "watcher"), 0)

    def saw(what, *args):
        seen[what] += 1
        if min(seen.values()) >= 20:
            loop.stop()
        if what == "call":
            loop.call_soon(saw, what)
        elif what == "timer":
            loop.call_later(0.0005, saw, what)

    one, other = pair()
    other.send(b"x")
    loop.add_reader(one, saw, "reader")
    loop.add_writer(one, saw, "writer")
    io = loop.io(one, everloop.EV_READ, lambda watcher, revents: saw("watcher"))
    io.start()
    loop.call_soon(saw, "call")
    loop.call_later(0, saw, "timer")
    loop.run_forever()
    loop.remove_reader(one)
    loop.remove_writer(one)
    io.stop()


def test_timers_that_are_always_due_starve_nobody(loop, pair):
    seen = dict.fromkeys(("reader", "call"), 0)

    def again():
        loop.call_later(0, again)

    def saw(what):
        seen[what] += 1
        if min(seen.values()) >= 20:
            loop.stop()
        if what == "call":
            loop.call_soon(saw, what)

    one, other = pair()
    other.send(b"x")
    loop.add_reader(one, saw, "reader")
    loop.call_soon(saw, "call")
    loop.call_later(0, again)
    loop.run_forever()
    loop.remove_reader(one)


def test_a_call_of_a_descriptor_does_not_wait_for_the_next_event(loop, run, pair):
    """What a reader asks for is called before the loop sleeps again."""
    one, other = pair()

    async def main():
        future = loop.create_future()
        loop.add_reader(one, lambda: (one.recv(1), loop.call_soon(future.set_result, None)))
        other.send(b"x")
        await future
        loop.remove_reader(one)

    run(main())


def test_no_call_at_nan(loop):
    for method in (loop.call_at, loop.call_later):
        with pytest.raises(ValueError, match="NaN"):
            method(float("nan"), print)
