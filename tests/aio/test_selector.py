"""A selector that is replaced or patched does the waiting, on asyncio's loop and on ours."""

import asyncio
import selectors
import socket
import threading
from unittest import mock

import pytest

import everloop

from .helpers import PATIENCE


@pytest.fixture(params=[asyncio.SelectorEventLoop, everloop.EventLoop])
def any_loop(request):
    loop = request.param()
    yield loop
    loop.close()


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


def test_select_of_the_selector(any_loop):
    one, other = socket.socketpair()
    with one, other:
        any_loop.add_writer(one, int)
        ((key, mask),) = any_loop._selector.select(PATIENCE)
        assert (key.fd, mask) == (one.fileno(), 2)
        any_loop.remove_writer(one)
        assert any_loop._selector.select(0) == []
        assert any_loop._selector.select(0.001) == []


def test_patched_select_is_called(any_loop):
    timeouts = []
    select = any_loop._selector.select

    def patched(timeout):
        timeouts.append(timeout)
        return select(timeout)

    any_loop._selector.select = patched
    assert run(any_loop, exchange()) == (b"from a thread\n", b"answer")
    assert 0 in timeouts and max(timeouts) > 0
    count = len(timeouts)
    del any_loop._selector.select
    assert run(any_loop, exchange()) == (b"from a thread\n", b"answer")
    assert len(timeouts) == count


def test_mocked_select(any_loop):
    with mock.patch.object(
        any_loop._selector, "select", side_effect=any_loop._selector.select
    ) as select:
        run(any_loop, asyncio.sleep(0.01))
    assert select.called
    count = select.call_count
    run(any_loop, asyncio.sleep(0))
    assert select.call_count == count


def test_replaced_selector_is_honoured(any_loop):
    before = any_loop._selector
    wrapper = any_loop._selector = Wrapper(before)
    assert any_loop._selector is wrapper
    assert run(any_loop, exchange()) == (b"from a thread\n", b"answer")
    assert wrapper.timeouts
    any_loop._selector = before
    count = len(wrapper.timeouts)
    run(any_loop, asyncio.sleep(0))
    assert len(wrapper.timeouts) == count


def test_each_turn_selects_once(any_loop):
    """Zero while calls are ready, the time to the first timer, else None."""
    wrapper = any_loop._selector = Wrapper(any_loop._selector)
    now = 50.0
    any_loop.time = lambda: now
    any_loop.call_at(60.5, int)

    async def turns():
        for _ in range(3):
            await asyncio.sleep(0)

    any_loop.run_until_complete(turns())
    assert wrapper.timeouts == [0] * 5

    def select(timeout):
        nonlocal now
        wrapper.timeouts.append(timeout)
        now += timeout
        return []

    any_loop._selector.select = select
    wrapper.timeouts.clear()
    any_loop.call_at(50.25, any_loop.stop)
    any_loop.run_forever()
    assert wrapper.timeouts == [0.25]


def test_time_is_driven_by_select(any_loop):
    """As test libraries do: hours pass at once, and to the second."""
    now = 0.0
    seen = []
    original = any_loop._selector.select

    def select(timeout):
        nonlocal now
        ready = original(0)
        if not ready and timeout:
            now += timeout
        return ready

    any_loop.time = lambda: now
    any_loop._selector.select = select

    async def sleep(seconds):
        await asyncio.sleep(seconds)
        seen.append(now)

    async def main():
        await asyncio.gather(*map(sleep, (0.1, 3600, 0.1 + 0.2, 7200, 1e-7)))

    any_loop.run_until_complete(main())
    assert seen == [1e-7, 0.1, 0.1 + 0.2, 3600, 7200]


def test_call_from_a_thread_ends_a_patched_wait(any_loop, when_blocked):
    found = []
    original = any_loop._selector.select

    def select(timeout):
        found.append(original(timeout))
        return found[-1]

    any_loop._selector.select = select
    when_blocked(lambda: any_loop.call_soon_threadsafe(any_loop.stop), threading.current_thread())
    any_loop.run_forever()
    assert any(found)


def test_exception_in_select_ends_the_run(any_loop):
    any_loop._selector.select = mock.Mock(side_effect=LookupError("nothing to wait for"))
    with pytest.raises(LookupError):
        any_loop.run_forever()
    del any_loop._selector.select
    run(any_loop, asyncio.sleep(0))


def test_class_with_a_time_of_its_own(any_loop):
    """A loop may be given another class, as test libraries do."""

    class Virtual(type(any_loop)):
        offset = 1000.0

        def time(self):
            return super().time() + self.offset

    before = any_loop.time()
    any_loop.__class__ = Virtual
    assert any_loop.__class__ is type(any_loop) is Virtual
    assert any_loop.time() >= before + 1000
    assert any_loop.call_later(1, int).when() > before + 1000
    run(any_loop, asyncio.sleep(0.01))


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
