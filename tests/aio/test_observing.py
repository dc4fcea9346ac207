"""Slow calls are told of in debug mode, and tools see calls that wrap asyncio.Handle._run().

Whatever a pass calls: handles, watchers' callbacks, and what transports do.
"""

import asyncio
import asyncio.base_events
import logging
import re
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
from patience import patient

from .helpers import connection


def ignore(*args):
    pass


@pytest.fixture
def slow(loop):
    """Debug mode, in which every call counts as slow."""
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    return loop


@pytest.fixture
def texts(caplog):
    """A function that gives what has been logged as a warning."""

    def get():
        return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]

    return get


def slept(loop, *watchers):
    """Run the loop until all the watchers have been called."""
    for watcher in watchers:
        watcher.start()
    loop.run_until_complete(asyncio.sleep(0.01))


# Debug mode


def test_watchers_that_take_long(slow, texts):
    slept(slow, slow.timer(0.0, 0.0, ignore), slow.idle(ignore, priority=1))
    said = [text for text in texts() if "<Timer " in text or "<Idle " in text]
    assert any(text.startswith("Executing <Timer ") for text in said), said
    assert any(text.startswith("Executing <Idle ") for text in said)
    assert all(re.search(r" calls ignore> took \d\.\d{3} seconds$", text) for text in said), said


def test_watchers_that_take_long_without_debug_mode(loop, texts):
    loop.slow_callback_duration = 0
    slept(loop, loop.timer(0.0, 0.0, ignore))
    assert not texts()


def test_watchers_that_are_quick(slow, texts):
    slow.slow_callback_duration = 1000
    slept(slow, slow.timer(0.0, 0.0, ignore))
    assert not texts()


def test_debug_mode_takes_effect_at_once(loop, texts):
    loop.slow_callback_duration = 0
    loop.call_soon(loop.set_debug, True)
    loop.call_soon(ignore, "now")
    loop.call_soon(loop.set_debug, False)
    loop.call_soon(ignore, "no more")
    loop.run_until_complete(asyncio.sleep(0))
    assert [text.split("(")[0].split()[2] for text in texts()] == [
        "ignore",
        "BaseEventLoop.set_debug",
    ]


def test_a_watcher_that_raises(slow, texts, reported):
    slept(slow, slow.timer(0.0, 0.0, lambda *args: 1 / 0))
    assert [type(error) for error, _ in reported] == [ZeroDivisionError]
    assert any(text.startswith("Executing <Timer") for text in texts())


def test_a_watcher_that_stops_the_loop_by_an_exception(slow, texts):
    def leave(*args):
        raise KeyboardInterrupt

    slow.timer(0.0, 0.0, leave).start()
    with pytest.raises(KeyboardInterrupt):
        slow.run_forever()
    assert any(text.startswith("Executing <Timer") for text in texts())


def test_readers_are_told_of_once(slow, texts):
    ends = socket.socketpair()
    slow.add_writer(ends[0], ignore)
    slept(slow)
    slow.remove_writer(ends[0])
    for end in ends:
        end.close()
    about = [text for text in texts() if "ignore" in text]
    assert about and all(text.startswith("Executing <Handle ignore") for text in about)


def test_protocols_that_take_long(slow, texts):
    async def main():
        async with connection() as made:
            made.peer.send(b"data")
            await asyncio.sleep(0.05)

    slow.run_until_complete(main())
    assert any(text.startswith("Executing <TransportIo reading for <") for text in texts())


def test_internal_watchers_are_not_told_of(slow, texts):
    slept(slow, slow.signal(signal.SIGUSR1, ignore))
    assert not any("internal" in text or "Prepare" in text for text in texts())


# Tools


@pytest.fixture
def seen(monkeypatch):
    """What a tool sees that wraps asyncio.Handle._run(), once it is called."""
    calls = []
    original = asyncio.Handle._run

    def wrapped(self):
        calls.append(self)
        return original(self)

    def wrap():
        monkeypatch.setattr(asyncio.events.Handle, "_run", wrapped)
        return calls

    yield wrap
    monkeypatch.undo()


def test_a_tool_sees_handles(loop, seen):
    made = []
    calls = seen()
    handle = loop.call_soon(made.append, 1)
    timer = loop.call_later(0.0, made.append, 2)
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.call_soon_threadsafe(made.append, 3)
    loop.run_until_complete(asyncio.sleep(0))
    assert made == [1, 2, 3]
    assert sum(each is handle for each in calls) == 1
    assert sum(each is timer for each in calls) == 1
    assert {"append"} <= {getattr(each._callback, "__name__", "") for each in calls}


def test_a_tool_sees_tasks_by_their_names(loop, seen):
    calls = seen()

    async def main():
        await asyncio.sleep(0)

    loop.run_until_complete(loop.create_task(main(), name="the one"))
    assert any("'the one'" in asyncio.base_events._format_handle(each) for each in calls)


def test_a_tool_that_comes_and_goes_while_the_loop_runs(loop, seen, monkeypatch):
    async def main():
        calls = seen()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while_there = len(calls)
        monkeypatch.undo()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gone = len(calls)
        await asyncio.sleep(0.01)
        return while_there, gone, len(calls)

    while_there, gone, afterwards = loop.run_until_complete(main())
    assert while_there > 0
    assert gone == afterwards


def test_a_tool_sees_readers_and_watchers_and_transports(loop, seen):
    calls = seen()
    ends = socket.socketpair()
    loop.add_writer(ends[0], ignore, "a writer")

    async def main():
        async with connection() as made:
            made.peer.send(b"data")
            await asyncio.sleep(0.05)

    slept(loop, loop.timer(0.0, 0.0, ignore))
    loop.run_until_complete(main())
    assert any(each._args == ("a writer",) for each in calls)
    loop.remove_writer(ends[0])
    for end in ends:
        end.close()
    texts = [asyncio.base_events._format_handle(each) for each in calls]
    assert any("<Timer" in text for text in texts), texts
    assert any("<TransportIo reading for" in text for text in texts), texts


def test_a_tool_and_exceptions(loop, seen, reported, handled):
    calls = seen()
    handle = loop.call_soon(lambda: 1 / 0)
    slept(loop, loop.timer(0.0, 0.0, lambda *args: [][0]))
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
    assert handled[0]["handle"] is handle
    handled.clear()
    assert [type(error) for error, _ in reported] == [IndexError]
    assert calls


def test_a_tool_and_what_ends_the_loop(loop, seen):
    def leave(*args):
        raise KeyboardInterrupt

    seen()
    loop.timer(0.0, 0.0, leave).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.call_soon(leave)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert loop.run_until_complete(asyncio.sleep(0, "goes on")) == "goes on"


def test_a_tool_in_debug_mode(slow, seen, texts):
    calls = seen()
    slow.call_soon(ignore, "once")
    slow.run_until_complete(asyncio.sleep(0))
    assert sum(each._args == ("once",) for each in calls) == 1
    assert sum("ignore('once')" in text for text in texts()) == 1


@pytest.mark.parametrize("early", [True, False])
def test_aiodebug(early):
    pytest.importorskip("aiodebug", reason="pip install aiodebug")
    enable = "log_slow_callbacks.enable(0.02, lambda name, taken: print(name, taken >= 0.02))"
    program = f"""
    import asyncio, time
    from aiodebug import log_slow_callbacks
    {enable if early else "pass"}
    import everloop

    async def slow():
        {"pass" if early else enable}
        await asyncio.sleep(0)
        time.sleep(0.03)

    async def main():
        await asyncio.create_task(slow(), name="the slow one")
        asyncio.get_running_loop().timer(0, 0, lambda timer, revents: time.sleep(0.03)).start()
        await asyncio.sleep(0.05)

    everloop.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert any("'the slow one'" in line for line in told), told
    assert any("<Timer" in line for line in told), told
    assert all(line.endswith(" True") for line in told)
