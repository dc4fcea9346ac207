"""The watchdog: callbacks that take too long, told of while they run."""

import asyncio
import logging
import threading

import pytest
from patience import patient

import everloop
from everloop.monitoring.watchdog import SlowCallback, Watchdog

LONG = patient(30)


class Reports:
    """A report function, and what a callback waits for that is to be reported."""

    def __init__(self):
        self.seen = []
        self.arrived = threading.Event()

    def __call__(self, slow):
        self.seen.append(slow)
        self.arrived.set()

    def get_stuck(self, *arguments):
        assert self.arrived.wait(LONG)


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def event_loop():
    with everloop.new_event_loop() as loop:
        yield loop


def functions(slow):
    return [frame.name for frame in slow.stack]


def test_a_callback_is_told_of_while_it_runs(loop, reports):
    timer = loop.timer(0.0, 0.0, reports.get_stuck)
    timer.start()
    with everloop.watchdog(loop, 0.02, reports) as dog:
        assert type(dog) is Watchdog
        loop.start()
    [slow] = reports.seen
    assert type(slow) is SlowCallback
    assert slow.running
    assert slow.seconds >= 0.02
    assert slow.called is timer
    assert (slow.loop, slow.thread, slow.task) == (loop, threading.get_ident(), None)
    assert "get_stuck" in functions(slow)
    assert "has run for" in str(slow)
    assert "get_stuck" in str(slow)


def test_a_step_of_a_task_is_told_of(event_loop, reports):
    async def main():
        await asyncio.sleep(0)
        reports.get_stuck()

    task = event_loop.create_task(main(), name="the slow one")
    with everloop.watchdog(event_loop, 0.02, reports):
        event_loop.run_until_complete(task)
    [slow] = reports.seen
    assert slow.task is task
    assert "main" in functions(slow)
    assert "the slow one" in str(slow)


def test_a_call_is_told_of(event_loop, reports):
    handle = event_loop.call_soon(reports.get_stuck)
    event_loop.call_soon(event_loop.stop)
    with everloop.watchdog(event_loop, 0.02, reports):
        event_loop.run_forever()
    [slow] = reports.seen
    assert slow.called is handle
    assert slow.task is None


def test_a_protocol_is_told_of(event_loop, reports, pair):
    ours, theirs = pair()

    class Protocol(asyncio.Protocol):
        def data_received(self, data):
            reports.get_stuck()
            event_loop.stop()

    connecting = event_loop.connect_accepted_socket(Protocol, ours)
    transport, _ = event_loop.run_until_complete(connecting)
    theirs.send(b"x")
    with everloop.watchdog(event_loop, 0.02, reports):
        event_loop.run_forever()
    transport.abort()
    event_loop.run_until_complete(asyncio.sleep(0))
    assert "data_received" in functions(reports.seen[0])


def test_a_loop_that_waits_is_not_told_of(loop, reports):
    """Nor is one that is always busy with short callbacks."""
    loop.timer(0.2, 0.0, lambda watcher, revents: None).start()
    with everloop.watchdog(loop, 0.02, reports):
        loop.start()
        idle = loop.idle(lambda watcher, revents: None)
        end = loop.timer(0.2, 0.0, lambda watcher, revents: idle.stop())
        idle.start()
        end.start()
        loop.start()
    # On a machine with much to do the loop's thread may have had to wait.
    assert not [slow for slow in reports.seen if slow.seconds < 0.02]


def test_each_is_told_of_once_and_not_too_many(loop, monkeypatch):
    reports = []

    # Set when the watchdog has seen a callback, reported or not.
    seen = threading.Event()
    tell = Watchdog._tell

    def told(self, *arguments):
        tell(self, *arguments)
        seen.set()

    monkeypatch.setattr(Watchdog, "_tell", told)

    def get_stuck(watcher, revents):
        assert seen.wait(LONG)
        seen.clear()

    for _ in range(3):
        loop.timer(0.0, 0.0, get_stuck).start()
    with everloop.watchdog(loop, 0.01, reports.append, pause=LONG) as dog:
        loop.start()
        assert len(reports) == 1
        dog._not_before = 0.0
        loop.timer(0.0, 0.0, get_stuck).start()
        loop.start()
    assert [slow.unreported for slow in reports] == [0, 2]
    assert "(2 more were not reported)" in str(reports[1])


def test_it_is_logged(loop, caplog):
    class Handler(logging.Handler):
        def emit(self, record):
            arrived.set()

    arrived = threading.Event()
    handler = Handler()
    logging.getLogger("everloop.watchdog").addHandler(handler)
    try:
        loop.timer(0.0, 0.0, lambda watcher, revents: arrived.wait(LONG)).start()
        with everloop.watchdog(loop, 0.02):
            loop.start()
    finally:
        logging.getLogger("everloop.watchdog").removeHandler(handler)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("everloop.watchdog", "WARNING")
    assert "still running" in record.getMessage()


def test_a_report_function_that_fails_is_logged(loop, reports, caplog):
    def fail(slow):
        reports(slow)
        raise ZeroDivisionError

    loop.timer(0.0, 0.0, reports.get_stuck).start()
    with everloop.watchdog(loop, 0.02, fail):
        loop.start()
    assert "report function failed" in caplog.text


def test_stop_may_be_called_by_the_report_and_again(loop, reports):
    def report(slow):
        dog.stop()
        reports(slow)

    dog = everloop.watchdog(loop, 0.02, report)
    loop.timer(0.0, 0.0, reports.get_stuck).start()
    loop.start()
    dog.stop()
    dog._thread.join(LONG)
    assert not dog._thread.is_alive()


def test_it_ends_with_the_loop(loop):
    dog = everloop.watchdog(loop, 0.01)
    loop.close()
    dog._thread.join(LONG)
    assert not dog._thread.is_alive()
    dog.stop()


def test_c_code_that_holds_the_gil_is_told_of_afterwards(run_program):
    """On a Python without the GIL, while it runs. The calls are C from end to end."""
    run_program(
        """
        told = threading.Event()
        def report(slow):
            print(slow.seconds >= 0.05, file=sys.stderr)
            told.set()
        def compute(size):
            # Between the calls the watchdog has time for a report, which reads sources.
            if told.wait(0.02):
                loop.stop()
                return
            for _ in range(8):
                loop.call_soon(sum, range(size))
            loop.call_soon(compute, min(2 * size, 1 << 23))
        loop = ev.EventLoop()
        loop.call_soon(compute, 1 << 20)
        dog = ev.watchdog(loop, 0.05, report)
        loop.run_forever()
        dog.stop()
        loop.close()
        print("told")
        """,
        "told",
        hangs_after=60,
    )


def test_arguments(loop):
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            everloop.watchdog(loop, wrong)
    with pytest.raises(TypeError, match="Loop"):
        everloop.watchdog(asyncio)
