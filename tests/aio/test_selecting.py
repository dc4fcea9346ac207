"""The selector of an asyncio loop, and what tools do with it."""

import asyncio
import heapq
import os
import socket
import threading
import time

import pytest

import everloop

LOOPS = [asyncio.new_event_loop, everloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "everloop"])
def either(request):
    """asyncio's own loop, and ours."""
    loop = request.param()
    yield loop
    loop.close()


def fast_forward(loop):
    """Have the loop's time pass at once when it would wait; a list of the waits."""
    waits = []
    select = loop._selector.select
    now = loop.time()

    def skip(timeout):
        nonlocal now
        ready = select(0)
        if not ready and timeout:
            waits.append(timeout)
            now += timeout
        return ready

    loop._selector.select = skip
    loop.time = lambda: now
    return waits


def test_waits_are_driven(either):
    waits = fast_forward(either)
    began = time.monotonic()
    start = either.time()
    either.run_until_complete(asyncio.sleep(3600))
    assert either.time() - start == pytest.approx(3600)
    assert time.monotonic() - began < 600
    assert sum(waits) == pytest.approx(3600)


def test_descriptors_are_served_between(either):
    fast_forward(either)
    one, other = socket.socketpair()
    with other:

        async def main():
            reader, writer = await asyncio.open_connection(sock=one)
            other.send(b"line\n")
            line = await reader.readline()
            await asyncio.sleep(1000)
            writer.write(line)
            writer.close()
            await writer.wait_closed()
            return other.recv(100)

        assert either.run_until_complete(main()) == b"line\n"


def test_select_as_it_was_comes_back(either):
    either._selector.select = lambda timeout: pytest.fail("asked, though it is gone")
    del either._selector.select
    either.run_until_complete(asyncio.sleep(0.001))


def test_events_that_select_makes_up(either):
    """What it returns is served, whatever the kernel says."""
    seen = []
    one, other = socket.socketpair()
    with one, other:
        either.add_reader(one, seen.append, "readable")
        key = either._selector.get_key(one)
        told = [[(key, 1)], []]
        either._selector.select = lambda timeout: told.pop(0) if told else []
        either.call_soon(either.call_soon, either.stop)
        either.run_forever()
        assert seen == ["readable"]
        del either._selector.select
        either.remove_reader(one)


def test_select_that_raises(either):
    def select(timeout):
        raise ZeroDivisionError

    either._selector.select = select
    with pytest.raises(ZeroDivisionError):
        either.run_forever()
    del either._selector.select
    either.run_until_complete(asyncio.sleep(0))


def test_another_selector(either):
    class Other:
        def __init__(self, selector):
            self.selector = selector
            self.asked = 0

        def select(self, timeout=None):
            self.asked += 1
            return self.selector.select(timeout)

        def __getattr__(self, name):
            return getattr(self.selector, name)

    other = either._selector = Other(either._selector)
    either.run_until_complete(asyncio.sleep(0.001))
    assert other.asked
    either._selector = other.selector
    before = other.asked
    either.run_until_complete(asyncio.sleep(0.001))
    assert other.asked == before


def test_select_waits_and_tells(loop):
    """It may be called by itself: what it found is served when the loop runs."""
    seen = []
    ends = os.pipe()
    loop.add_reader(ends[0], lambda: seen.append(os.read(ends[0], 10)))
    assert loop._selector.select(0) == []
    assert loop._selector.select(0.001) == []
    threading.Timer(0.01, os.write, (ends[1], b"x")).start()
    ((key, events),) = loop._selector.select(None)
    assert (key.fd, events) == (ends[0], 1)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [b"x"]
    loop.remove_reader(ends[0])
    for end in ends:
        os.close(end)


def test_call_from_a_thread_ends_select(loop):
    threading.Timer(0.01, loop.call_soon_threadsafe, (int,)).start()
    assert loop._selector.select(None)


def test_class_with_a_time_of_its_own(either):
    """Given to a loop that is there already; super() has the time as it was."""

    class Shifted(type(either)):
        def time(self):
            return super().time() + 1000

    plain = either.time()
    either.__class__ = Shifted
    assert either.time() >= plain + 1000

    async def main():
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        return asyncio.get_running_loop().time() - began

    assert 0.01 <= either.run_until_complete(main()) < 60


def run_once(loop):
    """A turn of the loop as tools write it that make loops reentrant."""
    ready, scheduled = loop._ready, loop._scheduled
    timeout = None
    if ready:
        timeout = 0
    elif scheduled:
        timeout = max(scheduled[0]._when - loop.time(), 0)
    loop._process_events(loop._selector.select(timeout))
    end = loop.time() + loop._clock_resolution
    while scheduled and scheduled[0]._when < end:
        ready.append(heapq.heappop(scheduled))
    for _ in range(len(ready)):
        handle = ready.popleft()
        if not handle._cancelled:
            handle._run()


def test_turns_that_a_tool_makes(either):
    """Calls, timers and descriptors, each once."""
    seen = []
    one, other = socket.socketpair()
    with one, other:
        either.add_reader(one, lambda: seen.append(one.recv(10)))
        either.call_soon(seen.append, "call")
        either.call_later(0.01, seen.append, "timer")
        either.call_later(0.001, seen.append, "cancelled").cancel()
        other.send(b"data")
        deadline = time.monotonic() + 20
        while "timer" not in seen and time.monotonic() < deadline:
            run_once(either)
        either.remove_reader(one)
        either.call_soon(either.stop)
        either.run_forever()
    assert sorted(map(str, seen)) == ["b'data'", "call", "timer"]
    assert seen[-1] == "timer"
