"""A loop as a guest of another main loop, which waits by fileno() and timeout()."""

import asyncio
import os
import select
import signal
import socket
import threading
import time

import pytest
from patience import patient

from everloop import (
    EV_READ,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
    EVRUN_NOWAIT,
    Error,
    EventLoop,
    Loop,
    ManualClock,
)


def noop(*args):
    pass


@pytest.fixture(params=[Loop, EventLoop])
def guest(request):
    loop = request.param()
    yield loop
    if not loop.closed:
        loop.verify()
        loop.close()


def host(loop, done, limit=20):
    """A main loop of the plainest kind. Returns how many passes of the guest it has run."""
    deadline = time.monotonic() + patient(limit)
    passes = 0
    while not done():
        left = loop.timeout()
        most = max(0.0, deadline - time.monotonic())
        select.select([loop.fileno()], [], [], most if left is None else min(left, most))
        assert time.monotonic() < deadline, "the guest has not been served"
        loop.start(EVRUN_NOWAIT)
        passes += 1
    return passes


def readable(loop, timeout=0.0):
    return bool(select.select([loop.fileno()], [], [], timeout)[0])


def settle(loop):
    """Run passes until there is nothing to do."""
    loop.fileno()
    for _ in range(10):
        loop.start(EVRUN_NOWAIT)
        if loop.timeout() != 0.0 and not readable(loop):
            return
    raise AssertionError("it never rests")


# What it says


def test_nothing_to_do(guest):
    settle(guest)
    assert guest.timeout() is None
    assert not readable(guest)


def test_the_time_to_the_first_timer(guest):
    guest.clock = clock = ManualClock()
    guest.timer(5.0, 0.0, noop).start()
    guest.timer(3.0, 0.0, noop).start()
    settle(guest)
    assert guest.timeout() == 3.0
    clock.advance(1.0)
    assert guest.timeout() == 2.0
    clock.advance(7.0)
    assert guest.timeout() == 0.0


def test_the_time_to_the_first_date(guest):
    guest.clock = ManualClock(wall=1000.0)
    guest.periodic(1010.0, 0.0, noop).start()
    settle(guest)
    assert guest.timeout() == 10.0


def test_the_loop_is_not_run_by_asking(guest):
    called = []
    guest.timer(0.0, 0.0, lambda *args: called.append(1)).start()
    guest.fileno()
    assert guest.timeout() == 0.0
    assert not called


@pytest.mark.parametrize(
    "ask",
    [
        lambda loop: loop.idle(noop).start(),
        lambda loop: loop.timer(0.0, 0.0, noop).start(),
        lambda loop: loop.feed_signal_event(signal.SIGUSR1) or loop.async_(noop).feed(1),
    ],
    ids=["idle", "timer", "fed"],
)
def test_something_to_do_at_once(guest, ask):
    settle(guest)
    ask(guest)
    assert guest.timeout() == 0.0


def test_calls_and_tasks_of_an_event_loop():
    with EventLoop() as guest:
        settle(guest)
        guest.call_soon(noop)
        assert guest.timeout() == 0.0
        settle(guest)
        guest.call_later(1000, noop)
        assert 900 < guest.timeout() <= 1000


def test_a_regular_file_is_always_ready(guest, tmp_path):
    with open(tmp_path / "file", "w") as file:
        called = []
        io = guest.io(file, EV_READ, lambda *args: called.append(1))
        guest.fileno()
        io.start()
        host(guest, lambda: len(called) >= 3)
        io.stop()
    settle(guest)


@pytest.mark.parametrize("flag", [EVBACKEND_POLL, EVBACKEND_SELECT])
def test_only_epoll_has_a_descriptor(flag):
    with Loop(flag) as loop:
        with pytest.raises(Error, match="epoll backend"):
            loop.fileno()
        assert loop.timeout() is None
        loop.timer(1000.0, 0.0, noop).start()
        assert 900 < loop.timeout() <= 1000


def test_a_closed_loop(guest):
    guest.fileno()
    guest.close()
    for ask in (guest.fileno, guest.timeout):
        with pytest.raises(Error, match="closed"):
            ask()


def test_a_loop_is_an_object_with_a_descriptor(guest):
    """For select.select() and selectors, which ask for fileno() themselves."""
    settle(guest)
    assert select.select([guest], [], [], 0) == ([], [], [])
    guest.async_(noop).start()
    assert select.select([guest], [], [], 0)[0] == [guest]


# What makes it readable


def test_a_descriptor(guest, pipe):
    r, w = pipe()
    seen = []
    io = guest.io(r, EV_READ, lambda *args: seen.append(os.read(r, 10)))
    io.start()
    settle(guest)
    os.write(w, b"data")
    assert readable(guest)
    assert host(guest, lambda: seen) <= 2
    settle(guest)


STARTS = {
    "io": lambda loop, r: loop.io(r, EV_READ, noop).start(),
    "timer": lambda loop, r: loop.timer(100.0, 0.0, noop).start(),
    "idle": lambda loop, r: loop.idle(noop).start(),
    "periodic": lambda loop, r: loop.periodic(0.0, 3600.0, noop).start(),
    "feed": lambda loop, r: loop.async_(noop).feed(1),
    "feed_fd_event": lambda loop, r: loop.feed_fd_event(r, EV_READ),
    "signal event": lambda loop, r: loop.feed_signal_event(signal.SIGUSR1),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same thread", "other thread"])
def test_whatever_is_started_outside_of_a_pass(guest, pipe, start, elsewhere):
    r, _ = pipe()
    settle(guest)
    if elsewhere:
        thread = threading.Thread(target=start, args=(guest, r))
        thread.start()
        thread.join()
    else:
        start(guest, r)
    assert readable(guest)


def test_sends_from_other_threads(guest):
    called = []
    watcher = guest.async_(lambda *args: called.append(1))
    watcher.start()
    settle(guest)
    for count in range(1, 4):
        thread = threading.Timer(0.02, watcher.send)
        thread.start()
        host(guest, lambda count=count: len(called) == count)
        thread.join()
    settle(guest)


def test_calls_from_other_threads():
    with EventLoop() as guest:
        called = []
        settle(guest)
        for count in range(1, 4):
            thread = threading.Timer(0.02, guest.call_soon_threadsafe, (called.append, 1))
            thread.start()
            host(guest, lambda count=count: len(called) == count)
            thread.join()
        settle(guest)


def test_signals(guest):
    called = []
    guest.signal(signal.SIGUSR1, lambda *args: called.append(1)).start()
    settle(guest)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert readable(guest)
    host(guest, lambda: called)
    settle(guest)


def test_stopped_watchers_do_not_keep_it_readable(guest, pipe):
    """Their descriptors are left with the kernel until it tells of one."""
    r, w = pipe()
    io = guest.io(r, EV_READ, noop)
    io.start()
    settle(guest)
    io.stop()
    os.write(w, b"data")
    settle(guest)


def test_changes_in_callbacks_are_handed_over(guest, pipe):
    r, w = pipe()
    os.write(w, b"data")
    seen = []
    io = guest.io(r, EV_READ, lambda *args: seen.append(os.read(r, 10)))
    guest.timer(0.0, 0.0, lambda *args: io.start()).start()
    host(guest, lambda: seen)
    io.stop()


def test_a_refused_descriptor_is_raised_by_start(loop, pipe):
    guest, (r, _w) = loop, pipe()
    guest.fileno()
    io = guest.io(r, EV_READ, noop)
    guest.timer(0.0, 0.0, lambda *args: (os.close(r), io.start())).start()
    with pytest.raises(OSError, match="Bad file descriptor"):
        host(guest, lambda: False, 5)
    settle(guest)


def test_it_is_the_same_descriptor(guest):
    fd = guest.fileno()
    settle(guest)
    assert guest.fileno() == fd


# Running


def test_timers_and_coroutines(guest):
    ticks = []
    guest.timer(0.005, 0.005, lambda *args: ticks.append(1)).start()
    passes = host(guest, lambda: len(ticks) >= 5)
    assert passes < 50


def test_coroutines():
    async def main():
        reader, writer = await asyncio.open_connection(*server.getsockname())
        connection, _ = await loop.sock_accept(server)
        with connection:
            writer.write(b"question\n")
            question = await loop.sock_recv(connection, 100)
            await loop.sock_sendall(connection, question.upper())
            answer = await reader.readline()
        writer.close()
        await asyncio.sleep(0.01)
        return answer, await asyncio.to_thread(threading.get_ident)

    with EventLoop() as loop, socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        task = loop.create_task(main())
        host(loop, task.done)
        assert task.result()[0] == b"QUESTION\n"
        loop.run_until_complete(loop.shutdown_default_executor())


def test_two_guests_of_one_host():
    with Loop() as one, EventLoop() as two:
        done = []
        one.timer(0.01, 0.0, lambda *args: (done.append(1), two.call_soon(done.append, 2))).start()
        deadline = time.monotonic() + patient(20)
        while len(done) < 2 and time.monotonic() < deadline:
            waits = [left for left in (one.timeout(), two.timeout()) if left is not None]
            for ready in select.select([one, two], [], [], min(waits, default=1.0))[0]:
                ready.start(EVRUN_NOWAIT)
            if one.timeout() == 0.0:
                one.start(EVRUN_NOWAIT)
        assert done == [1, 2]


def test_a_guest_of_asyncios_own_loop(guest):
    """By add_reader() and call_later() of the host, in its callbacks."""
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        finished = loop.create_future()
        timer = None

        def serve():
            nonlocal timer
            guest.start(EVRUN_NOWAIT)
            assert asyncio.get_running_loop() is loop
            if timer is not None:
                timer.cancel()
            left = guest.timeout()
            timer = None if left is None else loop.call_later(left, serve)
            if len(seen) == 3 and not finished.done():
                finished.set_result(None)

        loop.add_reader(guest.fileno(), serve)
        serve()
        guest.timer(0.01, 0.01, lambda *args: seen.append(1)).start()
        await asyncio.wait_for(finished, patient(20))
        loop.remove_reader(guest.fileno())

    # Not everloop's: this loop is the standard library's.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


def test_it_may_still_run_by_itself(guest):
    called = []
    settle(guest)
    guest.timer(0.01, 0.0, lambda *args: (called.append(1), guest.stop())).start()
    guest.start()
    assert called == [1]
    assert readable(guest)  # hosts look what has become of it
    settle(guest)


def test_after_a_fork_and_reset(run_program):
    run_program(
        """
        import select
        loop = Loop()
        called = []
        loop.timer(0.01, 0.01, lambda *args: called.append(1)).start()
        sent = loop.async_(lambda *args: called.append("sent"))
        sent.start()

        def serve(until):
            while not until():
                left = loop.timeout()
                select.select([loop.fileno()], [], [], left)
                loop.start(EVRUN_NOWAIT)

        serve(lambda: called)
        child = os.fork()
        called.clear()
        serve(lambda: len(called) > 2)
        threading.Timer(0.02, sent.send).start()
        serve(lambda: "sent" in called)
        if child == 0:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        loop.reset()
        called.clear()
        serve(lambda: len(called) > 2)
        print("served")
        """,
        "served",
    )
