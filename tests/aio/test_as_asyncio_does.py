"""What a program can see of when things happen, on asyncio's own loop and on ours.

Each scenario runs on both, and returns what it saw: that has to be the same.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
import time

import pytest

import everloop

from .helpers import PATIENCE, Recorder, tcp_pair, unix_pair


def seen_on(make_loop, scenario, *args):
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(asyncio.wait_for(scenario(*args), PATIENCE))


def assert_same(scenario, *args):
    expected = seen_on(asyncio.new_event_loop, scenario, *args)
    assert seen_on(everloop.new_event_loop, scenario, *args) == expected
    return expected


# What is written has been sent when the call returns


def blocking(sock):
    sock.settimeout(PATIENCE)
    return sock


async def with_transport(pair, use):
    """use(transport, peer), the peer being a blocking socket."""
    loop = asyncio.get_running_loop()
    one, peer = pair()
    with blocking(peer):
        transport, protocol = await loop.create_connection(Recorder, sock=one)
        seen = use(transport, peer)
        transport.close()
        await protocol.gets("lost")
        return seen


def write_twice(transport, peer):
    transport.write(b"one")
    seen = [peer.recv(100)]
    transport.write(bytearray(b"two"))
    return [*seen, peer.recv(100)]


def write_lines(transport, peer):
    transport.writelines([b"one", memoryview(b"two"), b"", bytearray(b"three")])
    return [peer.recv(100)]


def write_and_end(transport, peer):
    transport.write(b"one")
    transport.write_eof()
    return [peer.recv(100), peer.recv(100)]


def write_and_close(transport, peer):
    transport.write(b"one")
    transport.close()
    return [peer.recv(100)]


@pytest.mark.parametrize("pair", [tcp_pair, unix_pair])
@pytest.mark.parametrize("use", [write_twice, write_lines, write_and_end, write_and_close])
def test_streams_send_at_once(pair, use):
    assert b"one" in assert_same(with_transport, pair, use)[0]


async def answer_within_callbacks(trigger):
    """Written where a protocol or a call of the loop writes, and looked for there."""
    loop = asyncio.get_running_loop()
    seen = []
    done = loop.create_future()
    one, peer = unix_pair()

    def answer():
        transport.write(b"answer")
        seen.append(peer.recv(100))
        done.set_result(None)

    class Answering(asyncio.Protocol):
        def data_received(self, data):
            answer()

    with blocking(peer):
        transport, _ = await loop.create_connection(Answering, sock=one)
        trigger(loop, peer, answer)
        await done
        transport.close()
    return seen


@pytest.mark.parametrize(
    "trigger",
    [
        lambda loop, peer, answer: peer.send(b"question"),
        lambda loop, peer, answer: loop.call_soon(answer),
        lambda loop, peer, answer: loop.call_later(0.001, answer),
    ],
    ids=["received", "call", "timer"],
)
def test_answers_are_sent_at_once(trigger):
    assert assert_same(answer_within_callbacks, trigger) == [b"answer"]


async def send_datagrams():
    loop = asyncio.get_running_loop()
    with blocking(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        seen = []
        for word in (b"one", bytearray(b"two"), memoryview(b"three")):
            transport.sendto(word, peer.getsockname())
            seen.append(peer.recv(100))
        transport.close()
        return seen


def test_datagrams_are_sent_at_once():
    assert assert_same(send_datagrams) == [b"one", b"two", b"three"]


async def send_by_tls(certificate):
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    accepted = loop.create_future()

    class Accepting(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            accepted.set_result(transport)

    server = await loop.create_server(Accepting, "127.0.0.1", 0, ssl=context)
    address = server.sockets[0].getsockname()

    def connect():
        plain = socket.create_connection(address, PATIENCE)
        return trusting.wrap_socket(plain, server_hostname="localhost")

    peer = await loop.run_in_executor(None, connect)
    with peer:
        transport = await accepted
        seen = []
        for word in (b"one", bytearray(b"two")):
            transport.write(word)
            seen.append(peer.recv(100))
        transport.writelines([b"thr", b"ee"])
        seen.append(peer.recv(3))
        transport.abort()
        server.close()
        await server.wait_closed()
        return seen


def test_tls_sends_at_once(certificate):
    assert assert_same(send_by_tls, certificate) == [b"one", b"two", b"thr"]


# In which order, and in which turn of the loop


async def turns_until_received():
    """How many turns of the loop it takes until a protocol has what its peer sent."""
    loop = asyncio.get_running_loop()
    one, peer = unix_pair()
    with peer:
        transport, protocol = await loop.create_connection(Recorder, sock=one)
        await asyncio.sleep(0)
        seen = []
        for _ in range(20):
            del protocol.calls[:]
            peer.send(b"x")
            turns = 0
            while not protocol.calls:
                await asyncio.sleep(0)
                turns += 1
            seen.append(turns)
        transport.close()
        return seen


def test_each_turn_looks_at_the_descriptors():
    assert_same(turns_until_received)


async def turns_until_accepted():
    """When a server makes a protocol and tells it, and when that hears what is there already."""
    seen, turn = [], 0

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport):
            seen.append(("made", turn))

        def data_received(self, data):
            seen.append(("data", turn))

    def accept():
        seen.append(("accepted", turn))
        return Accepted()

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.sendall(b"data")
        for turn in range(10):
            await asyncio.sleep(0)
        server.close()
    return seen


def test_connections_are_accepted_in_the_same_turns():
    assert_same(turns_until_accepted)


async def turns_until_called():
    """The same for a timer that is due, beside calls that are always ready."""
    loop = asyncio.get_running_loop()
    seen = []
    for _ in range(20):
        called = []
        loop.call_later(0, called.append, True)
        turns = 0
        while not called:
            await asyncio.sleep(0)
            turns += 1
        seen.append(turns)
    return seen


def test_each_turn_looks_at_the_clock():
    assert_same(turns_until_called)


async def order_of_descriptors(count):
    loop = asyncio.get_running_loop()
    seen = []
    pairs = [socket.socketpair() for _ in range(count)]
    for number, (one, _) in enumerate(pairs):
        loop.add_reader(one, seen.append, number)
        loop.add_writer(one, int)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for one, _ in pairs:
        loop.remove_writer(one)
    await asyncio.sleep(0)
    del seen[:]
    order = [(7 * i + 3) % count for i in range(count)]
    for number in order:
        pairs[number][1].send(b"x")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = seen[:count]
    assert sorted(first) == list(range(count))
    for one, other in pairs:
        loop.remove_reader(one)
        one.close()
        other.close()
    return first


@pytest.mark.parametrize("count", [2, 3, 10])
def test_descriptors_are_served_in_the_order_of_the_kernel(count):
    assert_same(order_of_descriptors, count)


async def order_of_busy_descriptors():
    """All are ready for a while, but for one that comes back: it is the last one then."""
    loop = asyncio.get_running_loop()
    seen = []
    pairs = [socket.socketpair() for _ in range(3)]
    for number, (one, other) in enumerate(pairs):
        loop.add_reader(one, seen.append, number)
        other.send(b"x")
    for _ in range(6):
        await asyncio.sleep(0)
    pairs[0][0].recv(1)
    for _ in range(3):
        await asyncio.sleep(0)
    pairs[0][1].send(b"x")
    await asyncio.sleep(0)
    del seen[:]
    await asyncio.sleep(0)
    first = seen[:3]
    for one, other in pairs:
        loop.remove_reader(one)
        one.close()
        other.close()
    return first


def test_busy_descriptors_are_served_in_the_order_of_the_kernel():
    assert_same(order_of_busy_descriptors)


async def order_in_a_turn():
    """Calls, descriptors and timers that are all ready."""
    loop = asyncio.get_running_loop()
    seen = []
    pairs = [socket.socketpair() for _ in range(2)]

    def note(what):
        seen.append(what)
        loop.call_soon(seen.append, f"after {what}")

    for number, (one, _) in enumerate(pairs):
        loop.add_reader(one, lambda n=number, s=one: (s.recv(10), note(f"reader {n}")))
    await asyncio.sleep(0)
    for number in range(2):
        loop.call_later(0.001 * number, note, f"timer {number}")
    for _, other in pairs:
        other.send(b"x")
    time.sleep(0.01)
    loop.call_soon(note, "call 0")
    loop.call_soon(note, "call 1")
    for _ in range(4):
        await asyncio.sleep(0)
        seen.append("turn")
    for one, other in pairs:
        loop.remove_reader(one)
        one.close()
        other.close()
    return seen


def test_order_in_a_turn():
    assert_same(order_in_a_turn)


async def order_of_calls_from_threads():
    """A call from a thread that ends the wait is made in that very turn."""
    loop = asyncio.get_running_loop()
    seen = []
    done = loop.create_future()

    def called():
        seen.append("called")
        loop.call_soon(done.set_result, None)

    thread = threading.Timer(0.05, loop.call_soon_threadsafe, [called])
    thread.start()
    await done
    thread.join()
    return seen


def test_calls_from_threads():
    assert_same(order_of_calls_from_threads)


async def calls_between_datagrams():
    """What a datagram leads to happens before the next one is handed over."""
    loop = asyncio.get_running_loop()
    seen = []
    done = loop.create_future()

    class Noting(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            seen.append(data)
            loop.call_soon(seen.append, b"after " + data)
            if data == b"9":
                loop.call_soon(done.set_result, None)

    transport, _ = await loop.create_datagram_endpoint(Noting, local_addr=("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(transport.get_extra_info("sockname"))
        for number in range(10):
            peer.send(b"%d" % number)
        await done
    transport.close()
    return seen


def test_calls_between_datagrams():
    assert len(assert_same(calls_between_datagrams)) == 20


async def one_step_at_a_time(rounds):
    """Tasks that take turns with a stream of data, step by step."""
    loop = asyncio.get_running_loop()
    one, peer = unix_pair()
    seen = []
    with blocking(peer):
        reader, writer = await asyncio.open_connection(sock=one)

        async def count():
            for number in range(rounds):
                seen.append(number)
                await asyncio.sleep(0)

        counting = loop.create_task(count())
        for number in range(rounds // 4):
            peer.send(b"%d\n" % number)
            seen.append(await reader.readline())
            writer.write(b"%d\n" % number)
            seen.append(peer.recv(100))
        await counting
        writer.close()
        await writer.wait_closed()
    return seen


def test_steps_of_tasks_and_streams():
    assert_same(one_step_at_a_time, 40)


# What is closed while it is watched, and what is replaced


def removal(watched, removed):
    """What remove_reader() and remove_writer() say of a socket that was closed meanwhile."""

    async def scenario():
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        if "reader" in watched:
            loop.add_reader(one, int)
        if "writer" in watched:
            loop.add_writer(one, int)
        await asyncio.sleep(0)
        one.close()
        seen = []
        for name in removed:
            try:
                seen.append(getattr(loop, f"remove_{name}")(one))
            except ValueError:
                seen.append("unknown")
        other.close()
        return seen

    return scenario


async def removal_of_numbers_beyond_all():
    loop = asyncio.get_running_loop()
    numbers = (2**31 - 1, 2**31, 2**63, 2**64)
    seen = [(loop.remove_reader(fd), loop.remove_writer(fd)) for fd in numbers]
    for fd in (-1, -(2**31) - 1, -(2**64)):
        for remove in (loop.remove_reader, loop.remove_writer):
            with pytest.raises(ValueError, match="-1|descriptor") as raised:
                remove(fd)
            seen.append(str(raised.value))
    return seen


def test_removing_what_no_file_can_have():
    assert_same(removal_of_numbers_beyond_all)


@pytest.mark.parametrize("watched", ["reader", "writer"])
@pytest.mark.parametrize("removed", [("reader", "writer"), ("writer", "reader")])
def test_removing_what_was_closed(watched, removed):
    assert True in assert_same(removal([watched], removed))


def test_removing_both_of_what_was_closed():
    """asyncio raises OSError from the first; ours is as uvloop's."""
    removed = ("reader", "writer", "reader")
    seen = seen_on(everloop.new_event_loop, removal(removed, removed))
    assert seen == [True, True, "unknown"]


async def reused_number():
    """Another socket gets the number of one that was closed while it was watched."""
    loop = asyncio.get_running_loop()
    seen = []
    one, peer = socket.socketpair()
    loop.add_reader(one, seen.append, "one")
    await asyncio.sleep(0)
    number = one.fileno()
    one.close()
    peer.close()
    loop.remove_reader(one)
    two, peer = socket.socketpair()
    assert two.fileno() == number
    peer.send(b"x")
    for _ in range(3):
        await asyncio.sleep(0)
    loop.add_reader(two, seen.append, "two")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    loop.remove_reader(two)
    two.close()
    peer.close()
    return set(seen)


def test_nothing_of_a_closed_socket_is_left_watched():
    assert assert_same(reused_number) == {"two"}


def test_number_reused_under_its_reader(loop):
    """Without a removal between: asyncio's selector would go on with the old one."""
    seen = []
    one, peer = socket.socketpair()
    loop.add_reader(one, seen.append, "one")
    loop.run_until_complete(asyncio.sleep(0))
    one.close()
    peer.close()
    two, peer = socket.socketpair()
    peer.send(b"x")
    loop.add_reader(two, seen.append, "two")
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.remove_reader(two)
    two.close()
    peer.close()
    assert set(seen) == {"two"}


async def replaced_methods(pair):
    loop = asyncio.get_running_loop()
    one, peer = pair()
    with blocking(peer):
        transport, protocol = await loop.create_connection(Recorder, sock=one)
        seen = []
        transport.write = seen.append
        transport.write(b"caught")
        del transport.write
        transport.write(b"sent")
        seen.append(peer.recv(100))
        transport.close()
        await protocol.gets("lost")
        return seen


@pytest.mark.parametrize("pair", [tcp_pair, unix_pair])
def test_methods_of_a_transport_may_be_replaced(pair):
    assert assert_same(replaced_methods, pair) == [b"caught", b"sent"]


async def times_given():
    loop = asyncio.get_running_loop()
    now = int(loop.time())
    handles = [loop.call_at(when, int) for when in (now + 100, now + 100.5)]
    seen = [(type(handle.when()), handle.when() - now) for handle in handles]
    for handle in handles:
        handle.cancel()
    return seen


def test_times_are_told_as_they_were_given():
    assert assert_same(times_given) == [(int, 100), (float, 100.5)]


# The names of a connection


async def names_of_an_accepted_connection(family, address, own_address, asked_before):
    """Whether they are right, and of which type, while it is open and once it is closed."""
    loop = asyncio.get_running_loop()
    made = loop.create_future()

    class Accepted(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            made.set_result((transport, self))

    listener = socket.socket(family)
    listener.bind(address)
    client = socket.socket(family)
    if own_address:
        client.bind(own_address)
    server = await loop.create_server(Accepted, sock=listener)
    client.setblocking(False)
    await loop.sock_connect(client, listener.getsockname())
    transport, protocol = await made
    right = {"peername": client.getsockname(), "sockname": client.getpeername()}
    seen = []

    def look():
        for name, value in right.items():
            told = transport.get_extra_info(name, "nothing")
            seen.append((told == value, type(told), told is transport.get_extra_info(name)))

    if asked_before:
        look()
    client.close()
    await protocol.gets("lost")
    look()
    server.close()
    return seen


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize(
    "family", ["IPv4", "IPv6", "unnamed", "short path", "long path", "abstract"]
)
def test_names_of_an_accepted_connection(tmp_path, family, asked_before):
    unix = socket.AF_UNIX
    expected = None
    for make_loop in (asyncio.new_event_loop, everloop.new_event_loop):
        folder = tmp_path / make_loop.__module__
        folder.mkdir()
        (folder / ("x" * 50)).mkdir()
        with contextlib.chdir(folder):
            ways = {
                "IPv4": (socket.AF_INET, ("127.0.0.1", 0), None),
                "IPv6": (socket.AF_INET6, ("::1", 0), None),
                "unnamed": (unix, "here", None),
                "short path": (unix, "here", "there"),
                "long path": (unix, "x" * 50 + "/here", "x" * 50 + "/there"),
                "abstract": (unix, "\0" + str(folder), "\0" + str(folder) + " client"),
            }
            seen = seen_on(make_loop, names_of_an_accepted_connection, *ways[family], asked_before)
        assert len(seen) == (4 if asked_before else 2)
        assert all(right and same for right, _, same in seen)
        assert expected in (None, seen)
        expected = seen


# A protocol that ends its transport in resume_writing(), when nothing is left to be sent


class Ending(Recorder):
    def __init__(self, method):
        super().__init__()
        self.method = method

    def resume_writing(self):
        super().resume_writing()
        asyncio.get_running_loop().call_soon(self.note, "the next turn")
        getattr(self.transport, self.method)()


async def end_in_resume_writing(method):
    """What the protocol was told, and what the exception handler."""
    loop = asyncio.get_running_loop()
    complaints = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    one, peer = unix_pair()
    with blocking(peer):
        transport, protocol = await loop.create_connection(lambda: Ending(method), sock=one)
        transport.set_write_buffer_limits(0)
        transport.write(bytes(1_000_000))
        await loop.run_in_executor(None, read_all, peer)
        await protocol.gets("lost")
        await asyncio.sleep(0)
        return protocol.calls, complaints


def read_all(peer):
    while peer.recv(100_000):
        pass


@pytest.mark.parametrize("method", ["close", "abort"])
def test_an_end_in_resume_writing_is_told_of_in_the_next_turn(method):
    expected = ["made", "pause", "resume", "the next turn", "lost"], []
    assert seen_on(everloop.new_event_loop, end_in_resume_writing, method) == expected
    seen = seen_on(asyncio.new_event_loop, end_in_resume_writing, method)
    # Transports of asyncio's without gh-156512 are lost twice, at once and once more.
    assert seen == expected or seen[1]
