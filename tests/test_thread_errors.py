"""In debug mode, what is for the loop's own thread is an error in another; else it breaks nothing."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from patience import patient

from everloop import EV_CUSTOM, EV_READ, Error, EventLoop, Loop, ManualClock


class Runner:
    """A loop that runs in a thread of its own."""

    def __init__(self, loop):
        self.loop = loop
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.begun.wait(patient(30))
        return self

    def run(self):
        if isinstance(self.loop, EventLoop):
            self.loop.call_soon_threadsafe(self.begun.set)
            self.loop.run_forever()
        else:
            self.loop.ref()
            self.loop.timer(0, 0, lambda w, e: self.begun.set()).start()
            self.loop.start()

    def __exit__(self, *exc_info):
        self.loop.stop()
        self.thread.join(patient(30))
        assert not self.thread.is_alive()
        self.loop.verify()
        self.loop.close()

    def wait_for(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(patient(30))

    def call(self, function, *args):
        """In the loop's thread."""

        async def call():
            return function(*args)

        return self.wait_for(call())


def misuse(calls):
    """The names of those that raise no RuntimeError."""
    wrong = []
    for name, call in calls.items():
        try:
            call()
        except RuntimeError as error:
            if "Non-thread-safe operation" in str(error):
                continue
        wrong.append(name)
    return wrong


async def nothing():
    pass


# asyncio's face


@pytest.fixture
def debugged():
    loop = EventLoop()
    loop.set_debug(True)
    with Runner(loop) as runner:
        yield runner


@pytest.fixture
def undebugged():
    loop = EventLoop()
    loop.set_debug(False)
    with Runner(loop) as runner:
        yield runner


def calls_of_loop(loop, reading, coroutines):
    def coroutine():
        coroutines.append(nothing())
        return coroutines[-1]

    return {
        "call_soon": lambda: loop.call_soon(print),
        "call_later": lambda: loop.call_later(1000, print),
        "call_at": lambda: loop.call_at(loop.time() + 1000, print),
        "create_task": lambda: loop.create_task(coroutine()),
        "set_task_factory": lambda: loop.set_task_factory(None),
        "add_reader": lambda: loop.add_reader(reading, print),
        "remove_reader": lambda: loop.remove_reader(reading),
        "add_writer": lambda: loop.add_writer(reading, print),
        "remove_writer": lambda: loop.remove_writer(reading),
        "time": lambda: setattr(loop, "time", loop.time),
    }


def test_calls_of_the_loop_in_debug_mode(debugged):
    loop = debugged.loop
    reading, writing = socket.socketpair()
    coroutines = []
    assert misuse(calls_of_loop(loop, reading, coroutines)) == []
    for coroutine in coroutines:
        coroutine.close()
    reading.close()
    writing.close()


def test_what_other_threads_may_do_is_no_error_in_debug_mode(debugged):
    loop = debugged.loop
    assert loop.is_running()
    assert loop.get_debug()
    assert loop.time() > 0
    assert not loop.is_closed()
    handle = loop.call_soon_threadsafe(print)
    handle.cancel()
    assert handle.cancelled()
    loop.set_debug(True)
    assert asyncio.run_coroutine_threadsafe(nothing(), loop).result(patient(30)) is None
    assert repr(loop)


def test_handles_in_debug_mode(debugged):
    loop = debugged.loop
    soon, later = debugged.call(lambda: (loop.call_soon(int), loop.call_later(1000, int)))
    assert misuse({"soon": soon.cancel, "later": later.cancel}) == []
    assert not later.cancelled()
    assert later.when() > 0
    assert repr(soon)
    assert repr(later)
    debugged.call(later.cancel)


def test_futures_and_tasks_in_debug_mode(debugged):
    loop = debugged.loop
    future = debugged.call(loop.create_future)

    async def wait():
        await future

    waiting = debugged.call(loop.create_task, wait())
    debugged.wait_for(nothing())
    assert misuse({"set_result": lambda: future.set_result(1)}) == []
    debugged.call(waiting.cancel)


CALLS_OF_TRANSPORTS = {
    "write": lambda t: t.write(b"x"),
    "writelines": lambda t: t.writelines([b"x"]),
    "write_eof": lambda t: t.write_eof(),
    "sendto": lambda t: t.sendto(b"x"),
    "pause_reading": lambda t: t.pause_reading(),
    "resume_reading": lambda t: t.resume_reading(),
    "set_protocol": lambda t: t.set_protocol(t.get_protocol()),
    "set_write_buffer_limits": lambda t: t.set_write_buffer_limits(1000, 10),
    "close": lambda t: t.close(),
    "abort": lambda t: t.abort(),
}
QUESTIONS_TO_TRANSPORTS = {
    "is_closing": lambda t: t.is_closing(),
    "get_protocol": lambda t: t.get_protocol(),
    "get_extra_info": lambda t: t.get_extra_info("peername"),
    "get_write_buffer_size": lambda t: t.get_write_buffer_size(),
    "is_reading": lambda t: t.is_reading(),
    "repr": repr,
}


def check_transport(transport, but=()):
    def of(calls):
        return {
            name: lambda call=call: call(transport)
            for name, call in calls.items()
            if (hasattr(transport, name) or name == "repr") and name not in but
        }

    for question in of(QUESTIONS_TO_TRANSPORTS).values():
        question()
    calls = of(CALLS_OF_TRANSPORTS)
    assert calls
    assert misuse(calls) == []
    assert not transport.is_closing()


class Buffered(asyncio.Protocol):
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error):
        self.lost.set_result(error)


def test_stream_transports_and_servers_in_debug_mode(debugged):
    loop = debugged.loop

    async def connect():
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        return server, *await loop.create_connection(Buffered, *address)

    server, transport, protocol = debugged.wait_for(connect())
    check_transport(transport)
    assert misuse({"close": server.close}) == []
    assert server.is_serving()
    debugged.call(transport.close)
    debugged.call(server.close)

    async def wait():
        await protocol.lost
        await server.wait_closed()

    debugged.wait_for(wait())


def test_datagram_transports_in_debug_mode(debugged):
    loop = debugged.loop

    class Receiver(Buffered, asyncio.DatagramProtocol):
        pass

    async def make():
        first, _ = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
        address = first.get_extra_info("sockname")
        return first, *await loop.create_datagram_endpoint(Receiver, remote_addr=address)

    first, transport, protocol = debugged.wait_for(make())
    check_transport(transport)
    debugged.call(transport.close)
    debugged.call(first.close)

    async def wait():
        await protocol.lost

    debugged.wait_for(wait())


def test_pipes_in_debug_mode(debugged):
    loop = debugged.loop
    reading, writing = os.pipe()

    class Reader(Buffered):
        pass

    async def make():
        reader = await loop.connect_read_pipe(Reader, open(reading, "rb", 0))
        writer = await loop.connect_write_pipe(Reader, open(writing, "wb", 0))
        return reader, writer

    (read, read_protocol), (write, write_protocol) = debugged.wait_for(make())
    check_transport(read)
    # Which only the class that it has, as asyncio's, knows.
    check_transport(write, {"is_reading", "pause_reading", "resume_reading"})
    debugged.call(read.close)
    debugged.call(write.close)

    async def wait():
        await read_protocol.lost
        await write_protocol.lost

    debugged.wait_for(wait())


def test_subprocesses_in_debug_mode(debugged):
    loop = debugged.loop

    class Watcher(asyncio.SubprocessProtocol):
        def __init__(self):
            self.lost = loop.create_future()

        def connection_lost(self, error):
            self.lost.set_result(error)

    transport, protocol = debugged.wait_for(loop.subprocess_exec(Watcher, "sleep", "1000"))
    assert transport.get_pid() > 0
    calls = {
        "set_protocol": lambda: transport.set_protocol(protocol),
        "kill": transport.kill,
        "terminate": transport.terminate,
        "send_signal": lambda: transport.send_signal(0),
        "close": transport.close,
    }
    assert misuse(calls) == []
    assert transport.get_returncode() is None
    debugged.call(transport.kill)

    async def wait():
        await protocol.lost
        transport.close()

    debugged.wait_for(wait())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-keyout", path, "-out", f"{path}.crt"],
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    with open(path, "ab") as file, open(f"{path}.crt", "rb") as other:
        file.write(other.read())
    return path


def test_tls_transports_in_debug_mode(debugged, certificate):
    """Which must not be closed by the error, as by one of TLS."""
    loop = debugged.loop
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate)
    mine = ssl.create_default_context(cafile=str(certificate))
    mine.check_hostname = False

    async def connect():
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=theirs)
        address = server.sockets[0].getsockname()
        return server, *await loop.create_connection(Buffered, *address, ssl=mine)

    server, transport, protocol = debugged.wait_for(connect())
    check_transport(transport, but={"write_eof"})
    debugged.wait_for(nothing())
    assert not transport.is_closing()
    debugged.call(transport.close)
    debugged.call(server.close)

    async def wait():
        await protocol.lost
        await server.wait_closed()

    debugged.wait_for(wait())


def test_no_error_while_the_loop_does_not_run():
    loop = EventLoop()
    loop.set_debug(True)
    called = []
    thread = threading.Thread(target=lambda: loop.call_soon(called.append, 1))
    thread.start()
    thread.join()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert called == [1]
    loop.close()


def storm(calls, rounds=300):
    """Several threads make all of the calls at once; whatever they raise is nothing."""

    def work():
        for _ in range(rounds):
            for call in calls:
                with contextlib.suppress(Exception):
                    call()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patient(60))
        assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_calls_of_the_loop_break_nothing(undebugged):
    loop = undebugged.loop
    reading, writing = socket.socketpair()
    writing.send(b"x")
    coroutines = []
    calls = calls_of_loop(loop, reading, coroutines)
    handles = [undebugged.call(loop.call_later, 1000, print) for _ in range(20)]
    calls["cancel"] = lambda: [handle.cancel() for handle in handles]
    calls["call_soon"] = lambda: loop.call_soon(int).cancel()
    calls["call_later"] = lambda: loop.call_later(1000, int).cancel()
    calls["call_at"] = lambda: loop.call_at(1, int).cancel()
    calls["add_reader"] = lambda: loop.add_reader(reading, int)
    calls["add_writer"] = lambda: loop.add_writer(reading, int)
    calls["ready"] = lambda: len(loop._ready)
    calls["scheduled"] = lambda: [repr(handle) for handle in loop._scheduled]
    del calls["time"]
    storm(calls.values())
    undebugged.call(loop.remove_reader, reading)
    undebugged.call(loop.remove_writer, reading)
    loop.verify()
    reading.close()
    writing.close()


def test_calls_of_transports_break_nothing(undebugged):
    loop = undebugged.loop

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    async def connect():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        return server, *await loop.create_connection(Buffered, *address)

    server, transport, protocol = undebugged.wait_for(connect())
    names = [name for name in CALLS_OF_TRANSPORTS if hasattr(transport, name)]
    kept = [name for name in names if name not in ("close", "abort", "write_eof")]
    calls = [lambda n=name: CALLS_OF_TRANSPORTS[n](transport) for name in kept]
    calls.append(lambda: transport.write(b"x" * 10000))
    calls += [lambda c=call: c(transport) for call in QUESTIONS_TO_TRANSPORTS.values()]
    storm(calls)
    storm([lambda n=name: CALLS_OF_TRANSPORTS[n](transport) for name in names], rounds=50)
    undebugged.call(server.close)

    async def wait():
        await protocol.lost
        await server.wait_closed()

    undebugged.wait_for(wait())


# Watchers


def calls_of_watchers(loop, inner, timer, embed):
    return {
        "invoke": loop.invoke,
        "reset": loop.reset,
        "update": loop.update,
        "suspend": loop.suspend,
        "resume": loop.resume,
        "clock": lambda: setattr(loop, "clock", ManualClock()),
        "callback": lambda: setattr(loop, "callback", None),
        "io_interval": lambda: setattr(loop, "io_interval", 0.0),
        "timeout_interval": lambda: setattr(loop, "timeout_interval", 0.0),
        "Watcher.invoke": lambda: timer.invoke(EV_CUSTOM),
        "sweep": embed.sweep,
        "start": loop.start,
        "close": loop.close,
    }


def test_watchers_in_debug_mode():
    inner = Loop()
    with Runner(Loop(debug=True)) as runner:
        loop = runner.loop
        timer, embed = loop.timer(1000, 0, print), loop.embed(inner, print)
        for name, call in calls_of_watchers(loop, inner, timer, embed).items():
            with pytest.raises(Error, match="another thread runs the loop"):
                call()
                pytest.fail(name)
        # What others may do.
        loop.ref()
        loop.unref()
        assert loop.now() > 0
        assert repr(loop)
        timer.start()
        assert loop.watchers == (timer,)
        timer.stop()
        timer.set(1.0, 0.0)
        timer.reset()
        timer.data = 1
        loop.data = 1
    inner.close()


def test_watchers_in_debug_mode_in_the_loops_own_thread():
    loop = Loop(debug=True)
    timer = loop.timer(0, 0, lambda w, e: (loop.update(), loop.suspend(), loop.resume()))
    timer.start()
    loop.start()
    timer.invoke(EV_CUSTOM)
    loop.invoke()
    loop.close()


def test_calls_of_watchers_break_nothing():
    inner = Loop()
    with Runner(Loop()) as runner:
        loop = runner.loop
        timer, embed = loop.timer(1000, 0, lambda w, e: None), loop.embed(inner, lambda w, e: None)
        calls = calls_of_watchers(loop, inner, timer, embed)
        for name in ("clock", "close", "start"):
            del calls[name]
        reading, writing = os.pipe()
        watchers = [loop.io(reading, EV_READ, lambda w, e: None) for _ in range(3)]
        watchers += [timer, loop.idle(lambda w, e: None), loop.stat("/", 0.1, lambda w, e: None)]
        for watcher in watchers:
            calls[watcher] = watcher.start
            calls[watcher, "stop"] = watcher.stop
            calls[watcher, "feed"] = lambda w=watcher: w.feed(EV_CUSTOM)
            calls[watcher, "invoke"] = lambda w=watcher: w.invoke(EV_CUSTOM)
        storm(calls.values(), rounds=100)
        for watcher in watchers:
            watcher.stop()
        loop.verify()
        os.close(reading)
        os.close(writing)
    inner.close()
