"""What other threads may do to a loop, and what happens if they do something else.

On a Python with the GIL and on one without: the same has to be seen. What many threads
do at once is in reliability/threads_run.py.
"""

import asyncio
import os
import subprocess
import sys
import threading

import pytest
from patience import patient

import everloop
from everloop import EV_CUSTOM, EV_READ, Error, EventLoop, Loop

FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.fixture
def in_thread():
    """Run a function in another thread, and return its result when it ends."""
    threads = []

    def run(function):
        results = []
        thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
        threads.append(thread)
        thread.start()
        return lambda: thread.join(patient(30)) or results[0]

    yield run
    for thread in threads:
        thread.join(patient(30))
        assert not thread.is_alive()


@pytest.fixture
def running(in_thread):
    """A loop that runs in another thread until the test ends, and is verified then."""
    loop = Loop()
    loop.ref()
    begun = threading.Event()
    first = loop.timer(0, 0, lambda w, e: begun.set())
    first.start()
    result = in_thread(loop.start)
    assert begun.wait(patient(30))
    yield loop
    loop.stop()
    assert result() is True
    loop.verify()
    loop.close()


def test_no_import_turns_the_gil_on():
    program = (
        "import everloop, everloop.aio.event_loop as e, sys; e.EventLoop().close();"
        "print(getattr(sys, '_is_gil_enabled', lambda: 'none')())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    # It warns if it turns the GIL on.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
    )
    free_threaded_build = "t" in getattr(sys, "abiflags", "")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("False" if free_threaded_build else done.stdout.strip())


# Watchers


@pytest.mark.parametrize("kind", ["timer", "idle", "prepare", "async", "io", "periodic", "stat"])
def test_started_from_another_thread_while_the_loop_waits(running, kind):
    called = threading.Event()
    reading, writing = os.pipe()
    os.write(writing, b"x")

    def note(watcher, revents):
        called.set()
        watcher.stop()

    watcher = {
        "timer": lambda: running.timer(0, 0, note),
        "idle": lambda: running.idle(note),
        "prepare": lambda: running.prepare(note),
        "async": lambda: running.async_(note),
        "io": lambda: running.io(reading, EV_READ, note),
        "periodic": lambda: running.periodic(0, 0.01, note),
        "stat": lambda: running.stat(f"/proc/self/fd/{reading}", 0.1, note),
    }[kind]()
    watcher.start()
    if kind == "async":
        watcher.send()
    if kind == "stat":
        assert watcher.active
        watcher.feed(EV_CUSTOM)
    assert called.wait(patient(30))
    os.close(reading)
    os.close(writing)


def test_started_from_another_thread_while_callbacks_run(running):
    """Whose callbacks never end by themselves: between two of them others get in."""
    called = threading.Event()
    spinning = running.idle(lambda w, e: None)
    spinning.start()
    running.timer(0, 0, lambda w, e: called.set()).start()
    assert called.wait(patient(30))
    spinning.stop()
    assert not spinning.active


def test_started_from_another_thread_while_a_callback_blocks(running):
    """A callback that waits for a thread which starts a watcher: neither waits for ever."""
    inside, started, called = threading.Event(), threading.Event(), threading.Event()

    def block(watcher, revents):
        inside.set()
        assert started.wait(patient(30))

    running.timer(0, 0, block).start()
    assert inside.wait(patient(30))
    running.timer(0, 0, lambda w, e: called.set()).start()
    started.set()
    assert called.wait(patient(30))


def test_watchers_changed_from_another_thread_in_a_nested_section(running):
    """What sort() calls may start watchers, though the list that is sorted is locked."""
    done = threading.Event()
    timers = [running.timer(1000, 0, print) for _ in range(50)]

    def key(timer):
        timer.start()
        threading.Event().wait(0.0001)
        timer.stop()
        return timer.priority

    def sort(watcher, revents):
        timers.sort(key=key)
        done.set()

    others = [running.timer(1000, 0, print) for _ in range(50)]
    running.timer(0, 0, sort).start()
    while not done.wait(0.0001):
        for timer in others:
            timer.start()
        for timer in others:
            timer.stop()
    running.verify()


def test_fed_and_cleared_from_another_thread(running):
    fed = threading.Event()
    watcher = running.timer(1000, 0, lambda w, e: fed.set())
    for _ in range(100):
        watcher.feed(EV_CUSTOM)
        watcher.clear()
    watcher.feed(EV_CUSTOM)
    assert fed.wait(patient(30))


def test_fed_while_other_threads_hold_it(running, in_thread):
    """What is fed, and not active, is dropped only if really nobody has it any more."""
    called = threading.Semaphore(0)
    held = [running.timer(1000, 0, lambda w, e: called.release())]
    over = threading.Event()

    def hold():
        while not over.is_set():
            mine = held[0]
            yours = [mine] * 3
            del mine, yours

    holders = [in_thread(hold) for _ in range(3)]
    for _ in range(500):
        held[0].feed(EV_CUSTOM)
        assert called.acquire(timeout=patient(30))
    over.set()
    for end in holders:
        end()


def test_a_fed_watcher_that_another_thread_has_made_and_holds(running, in_thread):
    called, over = threading.Event(), threading.Event()

    def make_and_hold():
        watcher = running.timer(1000, 0, lambda w, e: called.set())
        watcher.feed(EV_CUSTOM)
        assert over.wait(patient(30))
        return watcher.pending

    end = in_thread(make_and_hold)
    assert called.wait(patient(30))
    over.set()
    assert end() is False


def test_each_send_is_followed_by_a_call(running):
    called = threading.Semaphore(0)
    watcher = running.async_(lambda w, e: called.release())
    watcher.start()
    for _ in range(2000):
        watcher.send()
        assert called.acquire(timeout=patient(30))


def test_a_send_before_and_during_starts_makes_no_watcher_deaf(running):
    called = threading.Event()
    watcher = running.async_(lambda w, e: called.set())
    over = threading.Event()

    def send():
        while not over.is_set():
            watcher.send()

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(500):
        watcher.start()
        watcher.stop()
    watcher.start()
    over.set()
    sender.join()
    called.clear()
    watcher.send()
    assert called.wait(patient(30))


def test_stopped_at_once_from_another_thread(in_thread):
    loop = Loop()
    loop.ref()
    begun = threading.Semaphore(0)

    def run():
        for _ in range(300):
            loop.prepare(lambda w, e: begun.release() or w.stop()).start()
            loop.start()

    ended = in_thread(run)
    for _ in range(300):
        assert begun.acquire(timeout=patient(30))
        loop.stop()
    ended()
    loop.close()


# What others must not do


def test_start_in_a_second_thread_is_an_error(running):
    with pytest.raises(Error, match="another thread runs the loop"):
        running.start()


def test_close_in_a_second_thread_is_an_error(running):
    with pytest.raises(Error, match="another thread runs the loop"):
        running.close()


def test_a_thread_that_runs_another_loop_is_another_thread(running):
    loop = Loop()
    errors = []

    def disturb(watcher, revents):
        try:
            running.start()
        except Error as error:
            errors.append(str(error))

    loop.timer(0, 0, disturb).start()
    loop.start()
    loop.close()
    assert len(errors) == 1


def test_call_soon_in_a_second_thread_is_an_error_in_debug_mode(in_thread):
    loop = EventLoop()
    loop.set_debug(True)
    loop.call_soon(lambda: None)
    begun = threading.Event()
    loop.call_soon(begun.set)
    ended = in_thread(loop.run_forever)
    assert begun.wait(patient(30))
    with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
        loop.call_later(1, print)
    loop.call_soon_threadsafe(loop.stop)
    ended()
    loop.close()


def test_call_soon_in_second_threads_breaks_nothing(in_thread):
    """An error, but a common one: calls are late at worst."""
    loop = EventLoop()
    made = []
    begun = threading.Event()
    loop.call_soon(begun.set)
    ended = in_thread(loop.run_forever)
    assert begun.wait(patient(30))

    def call():
        for _ in range(2000):
            loop.call_soon(made.append, 1)
            loop.call_later(1000, print).cancel()

    for end in [in_thread(call) for _ in range(4)]:
        end()
    loop.call_soon_threadsafe(loop.stop)
    ended()
    assert len(made) == 8000
    loop.close()


def test_write_in_second_threads_breaks_nothing(in_thread):
    async def main():
        done = loop.create_future()
        received = []

        class Receiver(asyncio.Protocol):
            def data_received(self, data):
                received.append(data)
                if sum(map(len, received)) == 4 * 500 * 10:
                    done.set_result(None)

        server = await loop.create_server(Receiver, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        transport, _ = await loop.create_connection(asyncio.Protocol, *address)

        def write():
            for _ in range(500):
                transport.write(b"x" * 10)

        for end in [in_thread(write) for _ in range(4)]:
            await loop.run_in_executor(None, end)
        await asyncio.wait_for(done, patient(30))
        transport.close()
        server.close()

    loop = EventLoop()
    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


# Calls


def test_calls_of_other_threads_keep_their_order(in_thread):
    loop = EventLoop()
    order = []
    begun = threading.Event()
    loop.call_soon(begun.set)
    ended = in_thread(loop.run_forever)
    assert begun.wait(patient(30))
    for number in range(5000):
        loop.call_soon_threadsafe(order.append, number)
    loop.call_soon_threadsafe(loop.stop)
    ended()
    assert order == list(range(5000))
    loop.close()


def test_calls_are_in_order_while_the_loop_does_not_run():
    loop = EventLoop()
    order = []
    loop.call_soon(order.append, 1)
    loop.call_soon_threadsafe(order.append, 2)
    loop.call_soon(order.append, 3)
    assert len(loop._ready) == 3
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert order == [1, 2, 3]
    loop.close()


def test_a_call_does_not_wait_for_a_callback_that_is_busy(in_thread):
    loop = EventLoop()
    inside, made = threading.Event(), threading.Event()

    def busy():
        inside.set()
        while not asked:
            pass

    asked = []
    loop.call_soon(busy)
    ended = in_thread(loop.run_forever)
    assert inside.wait(patient(30))
    loop.call_soon_threadsafe(made.set)
    asked.append(True)
    assert made.wait(patient(30))
    loop.call_soon_threadsafe(loop.stop)
    ended()
    loop.close()


def test_coroutines_of_many_threads(in_thread):
    loop = EventLoop()
    ended = in_thread(loop.run_forever)

    async def work(number):
        await asyncio.sleep(0)
        return number

    def ask():
        futures = [asyncio.run_coroutine_threadsafe(work(n), loop) for n in range(300)]
        return [future.result(patient(30)) for future in futures]

    for end in [in_thread(ask) for _ in range(4)]:
        assert end() == list(range(300))
    loop.call_soon_threadsafe(loop.stop)
    ended()
    loop.close()


# What belongs to the process


def test_one_default_loop_for_all_threads(in_thread):
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait(patient(30))
        return everloop.default_loop()

    loops = {end() for end in [in_thread(ask) for _ in range(8)]}
    assert len(loops) == 1
    loops.pop().close()


def test_one_loop_gets_a_signal_that_many_ask_for(in_thread):
    barrier = threading.Barrier(8)
    loops = [Loop() for _ in range(8)]

    def claim(loop):
        watcher = loop.signal(12, print)
        barrier.wait(patient(30))
        try:
            watcher.start()
        except Error:
            return False
        return True

    for _ in range(20):
        claims = [end() for end in [in_thread(lambda loop=loop: claim(loop)) for loop in loops]]
        assert claims.count(True) == 1
        for watcher in loops[claims.index(True)].watchers:
            watcher.stop()
    for loop in loops:
        loop.close()
