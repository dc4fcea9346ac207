"""The selector of an asyncio loop, and what tools do with it."""

import asyncio
import heapq
import os
import selectors
import socket
import threading
import time
from unittest import mock

import pytest

import everloop

from .helpers import PATIENCE

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


def run(loop, coroutine):
    return loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE))


class Wrapper:
    """In the place of a selector, which it asks."""

    def __init__(self, selector):
        self.selector = selector
        self.timeouts = []

    def select(self, timeout=None):
        self.timeouts.append(timeout)
        return self.selector.select(timeout)

    def __getattr__(self, name):
        return getattr(self.selector, name)


async def exchange():
    """What needs readers, writers, transports and threads."""
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=one)
    other.setblocking(False)
    with other:
        await asyncio.to_thread(other.send, b"from a thread\n")
        line = await reader.readline()
        loop.call_later(0.01, writer.write, b"answer")
        answer = await loop.sock_recv(other, 100)
        writer.close()
        await writer.wait_closed()
    return line, answer


def test_select_of_the_selector(either):
    one, other = socket.socketpair()
    with one, other:
        either.add_writer(one, int)
        ((key, mask),) = either._selector.select(PATIENCE)
        assert (key.fd, mask) == (one.fileno(), 2)
        either.remove_writer(one)
        assert either._selector.select(0) == []
        assert either._selector.select(0.001) == []


def test_patched_select_is_called(either):
    timeouts = []
    select = either._selector.select

    def patched(timeout):
        timeouts.append(timeout)
        return select(timeout)

    either._selector.select = patched
    assert run(either, exchange()) == (b"from a thread\n", b"answer")
    assert 0 in timeouts and max(timeouts) > 0
    count = len(timeouts)
    del either._selector.select
    assert run(either, exchange()) == (b"from a thread\n", b"answer")
    assert len(timeouts) == count


def test_mocked_select(either):
    with mock.patch.object(
        either._selector, "select", side_effect=either._selector.select
    ) as select:
        run(either, asyncio.sleep(0.01))
    assert select.called
    count = select.call_count
    run(either, asyncio.sleep(0))
    assert select.call_count == count


def test_replaced_selector_is_honoured(either):
    before = either._selector
    wrapper = either._selector = Wrapper(before)
    assert either._selector is wrapper
    assert run(either, exchange()) == (b"from a thread\n", b"answer")
    assert wrapper.timeouts
    either._selector = before
    count = len(wrapper.timeouts)
    run(either, asyncio.sleep(0))
    assert len(wrapper.timeouts) == count


def test_each_turn_selects_once(either):
    """Zero while calls are ready, the time to the first timer, else None."""
    wrapper = either._selector = Wrapper(either._selector)
    now = 50.0
    either.time = lambda: now
    either.call_at(60.5, int)

    async def turns():
        for _ in range(3):
            await asyncio.sleep(0)

    either.run_until_complete(turns())
    assert wrapper.timeouts == [0] * 5

    def select(timeout):
        nonlocal now
        wrapper.timeouts.append(timeout)
        now += timeout
        return []

    either._selector.select = select
    wrapper.timeouts.clear()
    either.call_at(50.25, either.stop)
    either.run_forever()
    assert wrapper.timeouts == [0.25]


def test_time_is_driven_by_select(either):
    """As test libraries do: hours pass at once, and to the second."""
    now = 0.0
    seen = []
    original = either._selector.select

    def select(timeout):
        nonlocal now
        ready = original(0)
        if not ready and timeout:
            now += timeout
        return ready

    either.time = lambda: now
    either._selector.select = select

    async def sleep(seconds):
        await asyncio.sleep(seconds)
        seen.append(now)

    async def main():
        await asyncio.gather(*map(sleep, (0.1, 3600, 0.1 + 0.2, 7200, 1e-7)))

    either.run_until_complete(main())
    assert seen == [1e-7, 0.1, 0.1 + 0.2, 3600, 7200]


def test_call_from_a_thread_ends_a_patched_wait(either, when_blocked):
    found = []
    original = either._selector.select

    def select(timeout):
        found.append(original(timeout))
        return found[-1]

    either._selector.select = select
    when_blocked(lambda: either.call_soon_threadsafe(either.stop), threading.current_thread())
    either.run_forever()
    assert any(found)


def test_exception_in_select_ends_the_run(either):
    either._selector.select = mock.Mock(side_effect=LookupError("nothing to wait for"))
    with pytest.raises(LookupError):
        either.run_forever()
    del either._selector.select
    run(either, asyncio.sleep(0))


def test_class_with_a_time_of_its_own_in_a_program(either):
    """A loop may be given another class, as test libraries do."""

    class Virtual(type(either)):
        offset = 1000.0

        def time(self):
            return super().time() + self.offset

    before = either.time()
    either.__class__ = Virtual
    assert either.__class__ is type(either) is Virtual
    assert either.time() >= before + 1000
    assert either.call_later(1, int).when() > before + 1000
    run(either, asyncio.sleep(0.01))


def test_class_that_has_a_time_after_its_init_only():
    class Virtual(everloop.EventLoop):
        def __init__(self):
            super().__init__()
            self.now = 5.0

        def time(self):
            return self.now

    with Virtual() as loop:
        assert loop.time() == 5
        assert loop.call_later(1, int).when() == 6


def test_selector_of_somebody_else():
    """What it knows nothing of is served all the same."""
    with everloop.EventLoop() as loop:
        loop._selector = mock.Mock(select=mock.Mock(return_value=[]))
        assert run(loop, exchange()) == (b"from a thread\n", b"answer")


def test_events_of_somebody_else():
    """A key that another selector returns has its handles called."""
    seen = []
    with everloop.EventLoop() as loop:
        handle = asyncio.Handle(seen.append, ("told",), loop, None)
        key = selectors.SelectorKey("what", 1000, selectors.EVENT_READ, (handle, None))
        loop._selector.select = lambda timeout: [(key, selectors.EVENT_READ)] * (not seen)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
    assert seen[0] == "told"
