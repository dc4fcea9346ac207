"""CallbackIo: add_reader() and add_writer(), and descriptors that go wrong under them."""

import asyncio
import contextvars
import gc
import os
import socket
import weakref

import pytest

from .helpers import unix_pair


def test_reader_and_writer(loop, run, pair):
    one, other = pair()

    async def main():
        readable, writable = loop.create_future(), loop.create_future()

        def read(*args):
            loop.remove_reader(one)
            readable.set_result((one.recv(10), args))

        def write():
            loop.remove_writer(one.fileno())
            writable.set_result(None)

        loop.add_reader(one, read, "with", "arguments")
        loop.add_writer(one.fileno(), write)
        await writable
        assert not readable.done()
        other.send(b"data")
        assert await readable == (b"data", ("with", "arguments"))

    run(main())


def test_reader_is_called_while_there_is_something(loop, run, pair):
    one, other = pair()
    seen = []

    async def main():
        loop.add_reader(one, lambda: seen.append(one.recv(1)))
        other.send(b"12345")
        while len(seen) < 5:
            await asyncio.sleep(0)
        loop.remove_reader(one)

    run(main())


def test_results(loop, pair):
    one, _ = pair()
    assert loop.remove_reader(one) is False and loop.remove_writer(one) is False
    assert loop.add_reader(one, int) is None and loop.add_writer(one, int) is None
    assert loop.remove_reader(one) is True and loop.remove_writer(one) is True
    assert loop.remove_reader(one) is False and loop.remove_writer(one) is False


def test_private_names_that_libraries_use(loop, pair):
    """asyncio's sslproto, aiohttp and others call them."""
    one, _ = pair()
    handle = loop._add_reader(one.fileno(), int)
    assert isinstance(handle, asyncio.Handle)
    assert isinstance(loop._add_writer(one.fileno(), int), asyncio.Handle)
    assert loop._remove_reader(one.fileno()) and loop._remove_writer(one.fileno())


def test_reader_is_replaced(loop, run, pair):
    one, other = pair()
    seen = []

    async def main():
        first = loop._add_reader(one.fileno(), seen.append, "first")
        loop.add_reader(one, lambda: seen.append(one.recv(1)))
        assert first.cancelled()
        other.send(b"2")
        while not seen:
            await asyncio.sleep(0)
        loop.remove_reader(one)

    run(main())
    assert seen == [b"2"]


@pytest.mark.parametrize("method", ["remove_reader", "add_reader", "remove_writer"])
def test_changes_in_the_callback(loop, run, pair, method):
    one, other = pair()
    other.send(b"x")
    seen = []

    def change():
        seen.append(1)
        if method == "add_reader":
            loop.add_reader(one, lambda: (seen.append(2), loop.remove_reader(one)))
        else:
            loop.remove_writer(one) if method == "remove_writer" else None
            loop.remove_reader(one)

    loop.add_reader(one, change)
    loop.add_writer(one, int)
    run(asyncio.sleep(0.01))
    loop.remove_writer(one)
    assert seen == ([1, 2] if method == "add_reader" else [1])


def test_removed_by_the_one_before(loop, run):
    """Both are ready in the same pass; the first to be called removes the other."""
    pairs = [unix_pair() for _ in range(2)]
    seen = []

    def read(i):
        seen.append(i)
        for each, _ in pairs:
            loop.remove_reader(each)

    for i, (one, other) in enumerate(pairs):
        other.send(b"x")
        loop.add_reader(one, read, i)
    run(asyncio.sleep(0.01))
    assert len(seen) == 1
    for each in sum(pairs, ()):
        each.close()


def test_cancelled_handle(loop, run, pair):
    one, other = pair()
    handle = loop._add_reader(one.fileno(), pytest.fail)
    handle.cancel()
    other.send(b"x")
    run(asyncio.sleep(0.01))
    loop.remove_reader(one)


def test_what_is_no_descriptor(loop):
    for method in loop.add_reader, loop.add_writer:
        for bad in "text", None, object(), 1.5, -1:
            with pytest.raises((ValueError, TypeError)):
                method(bad, int)
    for method in loop.remove_reader, loop.remove_writer:
        for bad in "text", None, object(), -1:
            with pytest.raises((ValueError, TypeError)):
                method(bad)


def test_closed_descriptor_is_no_end_of_the_loop(loop, run, pipe, handled):
    """asyncio says OSError at once; later is no better, but the loop has to live."""
    read_end, write_end = pipe()
    os.close(read_end)
    try:
        loop.add_reader(read_end, pytest.fail)
    except (OSError, ValueError):
        return
    run(asyncio.sleep(0.01))
    del handled[:]
    loop.remove_reader(read_end)


def test_descriptor_closed_under_its_reader(loop, run, pair):
    """And its number used again, for something that is watched as well."""
    one, other = pair()
    seen = []

    async def main():
        fd = one.fileno()
        loop.add_reader(fd, pytest.fail)
        await asyncio.sleep(0.001)
        one.close()
        await asyncio.sleep(0.001)
        third, fourth = unix_pair()
        assert third.fileno() == fd
        third.setblocking(False)
        loop.add_reader(fd, lambda: seen.append(third.recv(1)))
        fourth.send(b"x")
        while not seen:
            await asyncio.sleep(0.001)
        loop.remove_reader(fd)
        third.close()
        fourth.close()

    run(main())


def test_descriptor_removed_closed_and_reused_in_one_callback(loop, run):
    async def main():
        for _ in range(50):
            one, other = unix_pair()
            one.setblocking(False)
            future = loop.create_future()
            loop.add_reader(one, future.set_result, None)
            other.send(b"x")
            await future
            loop.remove_reader(one)
            one.close()
            other.close()

    run(main())


def test_regular_files(loop, run, tmp_path):
    """The kernel can't watch them: they are refused, as asyncio does, or always ready."""
    with open(tmp_path / "file", "w+b") as file:
        called = asyncio.Event()

        async def main():
            try:
                loop.add_reader(file, called.set)
            except PermissionError:
                return
            await called.wait()
            loop.remove_reader(file)

        run(main())


def test_hang_up_is_readable_and_writable(loop, run, pair):
    one, other = pair()
    other.close()
    seen = set()
    loop.add_reader(one, seen.add, "reader")
    loop.add_writer(one, seen.add, "writer")
    run(asyncio.sleep(0.01))
    loop.remove_reader(one)
    loop.remove_writer(one)
    assert seen == {"reader", "writer"}


def test_removed_reader_is_dropped(loop, pair):
    class Called:
        def __call__(self):
            pass

    one, _ = pair()
    called = Called()
    gone = weakref.ref(called)
    loop.add_reader(one, called)
    loop.remove_reader(one)
    del called
    gc.collect()
    assert gone() is None


def test_selector_shows_what_is_watched(loop, pair):
    one, _ = pair()
    loop.add_reader(one, int)
    assert one.fileno() in loop._selector.get_map()
    assert loop._selector.get_key(one).events
    loop.remove_reader(one)
    assert one.fileno() not in loop._selector.get_map()


def test_context_of_a_reader(loop, run, pair):
    variable = contextvars.ContextVar("variable", default=None)
    one, other = pair()
    other.send(b"x")
    seen = []
    token = variable.set("asked for")
    loop.add_reader(one, lambda: (seen.append(variable.get()), loop.remove_reader(one)))
    variable.reset(token)
    run(asyncio.sleep(0.01))
    assert seen == ["asked for"]


def test_closed_loop(loop, pair):
    one, _ = pair()
    loop.add_reader(one, int)
    loop.close()
    for method in loop.add_reader, loop.add_writer:
        with pytest.raises(RuntimeError, match="closed"):
            method(one, int)
    loop.remove_reader(one)


def test_socket_pairs_by_the_hundred(loop, run):
    async def main():
        pairs = [socket.socketpair() for _ in range(100)]
        left = loop.create_future()
        seen = set()

        def read(i, one):
            seen.add(i)
            loop.remove_reader(one)
            if len(seen) == len(pairs):
                left.set_result(None)

        for i, (one, other) in enumerate(pairs):
            loop.add_reader(one, read, i, one)
            other.send(b"x")
        await left
        for each in sum(pairs, ()):
            each.close()

    run(main())
