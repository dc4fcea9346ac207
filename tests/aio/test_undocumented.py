"""What programs take from asyncio's loops that nothing documents, on both loops."""

import asyncio
import collections
import contextlib
import errno
import socket
from unittest import mock

import pytest

import everloop

from .helpers import unix_pair
from .test_as_asyncio_does import assert_same, blocking

WAITING = {
    "sock_recv": lambda loop, sock: loop.sock_recv(sock, 100),
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(100)),
    "sock_recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 100),
    "sock_sendall": lambda loop, sock: loop.sock_sendall(sock, bytes(10_000_000)),
}


async def remove_whoever_waits(name, end):
    """remove_reader() of a socket that sock_recv() waits for; then that is ended."""
    loop = asyncio.get_running_loop()
    one, peer = unix_pair()
    one.setblocking(False)
    with one, blocking(peer):
        waiting = asyncio.ensure_future(WAITING[name](loop, one))
        await asyncio.sleep(0.01)
        other = name != "sock_sendall"
        seen = [(loop.remove_writer if other else loop.remove_reader)(one), waiting.done()]
        remove = loop.remove_reader if other else loop.remove_writer
        seen += [remove(one), remove(one)]
        if end == "close":
            one.close()
        elif name == "sock_sendall":
            peer.recv(1_000_000)
        else:
            peer.send(b"data")
        await asyncio.sleep(0.01)
        seen.append(waiting.done())
        waiting.cancel()
        seen += await asyncio.gather(waiting, return_exceptions=True)
    return [str(each) if isinstance(each, BaseException) else each for each in seen] + [
        type(seen[-1])
    ]


@pytest.mark.parametrize("end", ["close", "ready"])
@pytest.mark.parametrize("name", WAITING)
def test_removing_the_reader_of_a_socket_that_is_waited_for(name, end):
    assert assert_same(remove_whoever_waits, name, end)[:5] == [False, False, True, False, False]


def datagram_pair():
    """Two sockets that have an address each."""
    one, peer = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    for sock in one, peer:
        sock.bind("")
        sock.setblocking(False)
    one.connect(peer.getsockname())
    peer.connect(one.getsockname())
    return one, peer


def fill(sock):
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x")


def drain(sock):
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(100)


async def socket_after(first, then):
    """A socket is waited for in the step in which another wait for it is cancelled."""
    loop = asyncio.get_running_loop()
    one, peer = datagram_pair()
    with one, peer:
        if first == "sock_sendto":
            fill(one)
            before = asyncio.ensure_future(loop.sock_sendto(one, b"x", peer.getsockname()))
        else:
            before = asyncio.ensure_future(loop.sock_recvfrom(one, 100))
        await asyncio.sleep(0.01)
        before.cancel()
        loop.call_later(0.05, *((drain, peer) if first == "sock_sendto" else (peer.send, b"data")))
        waiting = getattr(loop, then)(one, b"data" if then == "sock_sendall" else 100)
        return await asyncio.wait_for(waiting, 30)


@pytest.mark.parametrize(
    ("first", "then"), [("sock_recvfrom", "sock_recv"), ("sock_sendto", "sock_sendall")]
)
def test_waiting_for_a_socket_after_another_who_is_cancelled(first, then):
    assert_same(socket_after, first, then)


# A _run_once() of one's own


def turns_with_a_run_once_of_its_own(make_loop, by):
    loop = make_loop()
    turns = []
    original = type(loop)._run_once

    def run_once(self=loop):
        turns.append(1)
        original(self)

    if by == "subclass":
        loop.close()
        loop = type("Counting", (type(loop),), {"_run_once": run_once})()
    else:
        loop._run_once = run_once

    async def main():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        # Nothing but a thread wakes the loop.
        return await loop.run_in_executor(None, str, "done")

    seen = [loop.run_until_complete(main()), len(turns) > 3]
    del turns[:]
    loop.stop()
    loop.run_forever()
    seen.append(len(turns))
    loop.call_soon(loop.stop)
    loop.call_soon(seen.append, "beside stop")
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    return seen


@pytest.mark.parametrize("by", ["subclass", "instance"])
def test_run_forever_goes_by_a_run_once_of_its_own(by):
    expected = ["done", True, 1, "beside stop"]
    assert turns_with_a_run_once_of_its_own(asyncio.new_event_loop, by) == expected
    assert turns_with_a_run_once_of_its_own(everloop.new_event_loop, by) == expected


def later_by_call_at(make_loop):
    loop = make_loop()
    loop.close()

    class Noting(type(loop)):
        def call_at(self, when, callback, *args, context=None):
            noted.append((callback, args, self.time() < when < self.time() + 0.1))
            return super().call_at(when, callback, *args, context=context)

    noted, called = [], []
    loop = Noting()
    loop.call_later(0.05, called.append, 1)
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    loop.close()
    return [(args, soon) for _, args, soon in noted], called


def test_call_later_goes_by_a_call_at_of_a_subclass():
    expected = later_by_call_at(asyncio.new_event_loop)
    assert (
        later_by_call_at(everloop.new_event_loop) == expected == ([((1,), True), ((), True)], [1])
    )


# The queue of calls


def queue_changed(make_loop, change):
    loop = make_loop()
    called = []
    handles = [loop.call_soon(called.append, number) for number in range(5)]
    change(loop, loop._ready, handles)
    loop.call_later(0.001, loop.stop)
    kept = [handles.index(each) for each in loop._ready if each in handles]
    loop.run_forever()
    loop.close()
    return kept, called


def move_the_last(loop, ready, handles):
    ready.appendleft(ready.pop())


def put_in_between(loop, ready, handles):
    ready.remove(handles[4])
    ready.insert(1, handles[4])


def replace(loop, ready, handles):
    ready[1], ready[3] = ready[3], ready[1]


def leave_out(loop, ready, handles):
    del ready[2]


def put_timer(loop, ready, handles):
    timer = loop.call_later(1000, handles[0]._callback, "timer")
    ready.append(timer)


def rotate_in_a_call(loop, ready, handles):
    loop._ready.appendleft(loop.call_soon(loop._ready.rotate, 2) and loop._ready.pop())


def assign(loop, ready, handles):
    loop._ready = collections.deque(handles[::-2])


def run_one_that_is_cancelled(loop, ready, handles):
    handle = asyncio.Handle(handles.append, (None,), loop)
    ready.append(handle)
    handle.cancel()
    assert len(handles) == 5


def mocked(loop, ready, handles):
    with mock.patch.object(loop, "_ready"):
        pass
    with mock.patch.object(loop, "_scheduled"):
        pass
    assert list(loop._ready) == handles


CHANGES = {
    "rotate": lambda loop, ready, handles: ready.rotate(-2),
    "reverse": lambda loop, ready, handles: ready.reverse(),
    "extendleft": lambda loop, ready, handles: ready.extendleft([ready.pop(), ready.pop()]),
    "extend": lambda loop, ready, handles: ready.extend([ready.popleft(), ready.popleft()]),
    "copy": lambda loop, ready, handles: ready.copy().clear(),
    "clear": lambda loop, ready, handles: ready.clear(),
    "reversed": lambda loop, ready, handles: ready.remove(next(reversed(ready))),
} | {
    change.__name__: change
    for change in (
        move_the_last,
        put_in_between,
        replace,
        leave_out,
        put_timer,
        rotate_in_a_call,
        assign,
        run_one_that_is_cancelled,
        mocked,
    )
}


@pytest.mark.parametrize("change", CHANGES)
def test_queue_is_changed_as_a_deque(change):
    expected = queue_changed(asyncio.new_event_loop, CHANGES[change])
    assert queue_changed(everloop.new_event_loop, CHANGES[change]) == expected


def test_queue_that_is_mocked_for_a_while(loop):
    called = []
    with mock.patch.object(loop, "_ready"):
        pass
    loop.call_soon(called.append, 1)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert called == [1]


# Names


async def names_of_a_process():
    """What programs look at of the transports of a process, for there is no public name."""
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    transport = process._transport
    popen = transport.get_extra_info("subprocess")
    stdin, stdout = transport._pipes[0].pipe, transport._pipes[1].pipe
    seen = [
        transport._proc is popen,
        transport._pid == popen.pid == process.pid,
        transport._returncode,
        sorted(transport._pipes),
        stdin._pipe is popen.stdin,
        stdin._fileno == popen.stdin.fileno(),
        stdout._pipe is popen.stdout,
        stdout._fileno == popen.stdout.fileno(),
        [each.disconnected for each in transport._pipes.values()],
    ]
    seen.append((await process.communicate(b"x"))[0])
    while transport._proc is not None:
        await asyncio.sleep(0.001)
    return [
        *seen,
        transport._returncode,
        transport.get_extra_info("subprocess") is popen,
        popen.returncode,
        stdin._pipe,
        [each.disconnected for each in transport._pipes.values()],
    ]


def test_names_of_a_process():
    assert assert_same(names_of_a_process)[-4:-2] == [True, 0]


async def water_marks_of_a_socket():
    one, peer = unix_pair()
    with peer:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=one
        )
        seen = [(transport._low_water, transport._high_water)]
        transport.set_write_buffer_limits(high=100)
        seen.append((transport._low_water, transport._high_water))
        transport.close()
        return seen


def test_water_marks_of_a_socket():
    assert assert_same(water_marks_of_a_socket) == [(16384, 65536), (25, 100)]


# Errors


async def address_in_use():
    loop = asyncio.get_running_loop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
        seen = []
        for attempt in (
            loop.create_server(asyncio.Protocol, *address),
            loop.create_connection(asyncio.Protocol, "127.0.0.1", 9, local_addr=address),
        ):
            with pytest.raises(OSError) as caught:
                await attempt
            seen.append((caught.value.errno, str(caught.value).replace(str(address[1]), "PORT")))
        return seen


def test_an_address_in_use_is_told_in_the_words_of_that_python():
    assert [number for number, _ in assert_same(address_in_use)] == [errno.EADDRINUSE] * 2


async def buffers_that_are_none(buffer):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    lost = loop.create_future()

    class Reading(asyncio.BufferedProtocol):
        def get_buffer(self, sizehint):
            return buffer

        def connection_lost(self, error):
            lost.set_result(type(error))

    one, peer = unix_pair()
    with peer:
        await loop.create_connection(Reading, sock=one)
        peer.send(b"data")
        return await lost


@pytest.mark.parametrize("buffer", [b"read only", memoryview(bytearray(4))[::2], "text", 5])
def test_buffers_that_are_none(buffer):
    assert assert_same(buffers_that_are_none, buffer) is TypeError
