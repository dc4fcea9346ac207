"""Programs that do with the asyncio face what they should not, each in its own interpreter.

None of them may crash, hang or lose what others are waiting for.
"""

import pytest

PRELUDE = """
import asyncio, everloop, gc, importlib, os, socket, threading, time
from everloop import EventLoop

loop = EventLoop()

def pair():
    both = socket.socketpair()
    for each in both:
        each.setblocking(False)
    return both

async def transport_of(sock, factory=asyncio.Protocol):
    return (await loop.create_connection(factory, sock=sock))[0]

def run_for(seconds):
    loop.call_later(seconds, loop.stop)
    loop.run_forever()
"""


@pytest.fixture
def run_hostile(run_program):
    """run_program for programs that find PRELUDE's names."""

    def run(source, expected=""):
        lines = source.splitlines()
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        run_program(PRELUDE + "\n".join(line[indent:] for line in lines), expected)

    return run


# Objects half made


@pytest.mark.parametrize("name", ["_args", "_context", "_source_traceback", "get_context"])
def test_timer_handle_without_a_handle(run_hostile, name):
    run_hostile(f"""
        from everloop.aio.calls.handle import TimerHandle
        try:
            attribute = getattr(TimerHandle.__new__(TimerHandle), {name!r})
            callable(attribute) and attribute()
        except Exception:
            pass
    """)


def test_listener_without_a_loop(run_hostile):
    run_hostile("""
        from everloop.aio.transports.listener import Listener
        try:
            Listener.__new__(Listener).resume()
        except Exception:
            pass
    """)


def test_loops_without_init_do_not_run(run_hostile):
    run_hostile("""
        from everloop.aio.core import Core

        class Half(EventLoop):
            def __init__(self):
                asyncio.SelectorEventLoop.__init__(self)

        for run in (Core.__new__(Core)._run_until_stopped, Half().run_forever):
            try:
                run()
            except Exception:
                pass
    """)


def test_transport_watcher_made_by_hand(run_hostile):
    run_hostile("""
        from everloop.aio.transports.transport import TransportIo
        try:
            here, there = pair()
            TransportIo(here.fileno(), 1, loop, print).start()
            here.close()
            run_for(0.1)
        except Exception:
            pass
    """)


def test_transport_watcher_for_other_events(run_hostile):
    run_hostile("""
        here, there = pair()
        transport = loop.run_until_complete(transport_of(here))
        transport.pause_reading()
        reader, = [each for each in gc.get_referents(transport) if isinstance(each, everloop.Io)]
        try:
            reader.set(here.fileno(), 2)
            transport.resume_reading()
            run_for(0.1)
        except Exception:
            pass
    """)


def test_transport_watcher_fed_after_the_end(run_hostile):
    run_hostile("""
        here, there = pair()
        transport = loop.run_until_complete(transport_of(here))
        transport.write(bytes(10_000_000))
        watchers = [each for each in gc.get_referents(transport) if isinstance(each, everloop.Io)]
        transport.abort()
        run_for(0.05)
        for each in watchers:
            each.feed(3)
        run_for(0.05)
    """)


def test_descriptor_that_hides_its_sign(run_hostile):
    run_hostile(
        """
        class Number(int):
            def __lt__(self, other):
                return False

        for number in (-1, -5, -100_000_000):
            try:
                loop.add_reader(Number(number), print)
            except ValueError:
                print("refused")
    """,
        "refused refused refused",
    )


# Re-entrancy


def test_ready_calls_dropped_while_they_are_dropped(run_hostile):
    run_hostile(
        """
        class Last:
            def __del__(self):
                loop._ready = []

        for _ in range(5):
            loop.call_soon(print, Last())
        loop._ready = []
        print(len(loop._ready))
    """,
        "0",
    )


def test_protocol_replaced_while_its_method_runs(run_hostile):
    run_hostile(
        """
        class Evil:
            def __eq__(self, other):
                transport.set_protocol(asyncio.Protocol())
                print("compared")

        class Odd(list):
            data_received = list.count
            def connection_made(self, transport):
                pass
            def __del__(self):
                print("gone")

        here, there = pair()
        transport = loop.run_until_complete(transport_of(here, lambda: Odd([Evil()])))
        there.send(b"x")
        run_for(0.05)
    """,
        "compared gone",
    )


def test_tls_replaced_while_it_takes_in(run_hostile):
    run_hostile(
        """
        from asyncio.sslproto import SSLProtocolState
        from everloop.aio.transports.tls import SSLCore

        class Incoming:
            pending = 0
            def write(self, data):
                transport.set_protocol(asyncio.Protocol())
                gc.collect()
                self.ballast = [bytearray(300) for _ in range(3000)]

        class Tls(SSLCore):
            def __init__(self):
                self._incoming = Incoming()
                self._state = SSLProtocolState.WRAPPED
            def connection_made(self, transport):
                pass
            def _do_read(self):
                print("read")

        here, there = pair()
        transport = loop.run_until_complete(transport_of(here, Tls))
        there.send(b"x")
        run_for(0.05)
    """,
        "read",
    )


def test_what_tls_takes_in_does_not_outlive_the_loop(run_hostile):
    run_hostile("""
        from everloop.aio.transports.tls import SSLCore
        kept = []

        class Incoming:
            write = kept.append

        class Tls(SSLCore):
            def __init__(self):
                self._incoming = Incoming()
            def connection_made(self, transport):
                pass
            def connection_lost(self, error):
                pass

        here, there = pair()
        transport = loop.run_until_complete(transport_of(here, Tls))
        there.send(b"x" * 1000)
        run_for(0.05)
        transport.abort()
        run_for(0.05)
        loop.close()
        del loop, transport
        gc.collect()
        ballast = bytearray(256 * 1024)
        try:
            assert bytes(kept[0]) == b"x" * 1000
        except ValueError:
            pass
    """)


def test_loop_within_data_received(run_hostile):
    run_hostile(
        """
        class Nested(asyncio.Protocol):
            def data_received(self, data):
                print(data.decode())
                if data == b"one":
                    there.send(b"two")
                    loop.start(everloop.EVRUN_NOWAIT)
                    transport.close()
                    loop.start(everloop.EVRUN_NOWAIT)
            def connection_lost(self, error):
                print("lost", error)

        here, there = pair()
        transport = loop.run_until_complete(transport_of(here, Nested))
        there.send(b"one")
        run_for(0.05)
    """,
        "one two lost None",
    )


def test_loop_within_a_callback_sends_first(run_hostile):
    run_hostile(
        """
        here, there = pair()
        transport = loop.run_until_complete(transport_of(here))
        run_for(0.05)

        def look(watcher, revents):
            print(there.recv(10).decode())
            loop.stop(everloop.EVBREAK_ONE)

        def callback():
            transport.write(b"sent")
            watcher = loop.timer(0.2, 0, look)
            watcher.start()
            loop.start()

        loop.call_soon(callback)
        run_for(0.5)
    """,
        "sent",
    )


# Failures


def test_operation_that_is_cancelled_while_it_succeeds(run_hostile):
    run_hostile(
        """
        class Odd:
            def __init__(self, sock):
                self.sock = sock
            def fileno(self):
                return self.sock.fileno()
            def accept(self):
                result = self.sock.accept()
                operation.waiting.cancel()
                return result

        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        operation = loop._accept(Odd(listening))
        client = socket.create_connection(listening.getsockname())
        run_for(0.05)
        print("ran")
    """,
        "ran",
    )


def test_interrupt_in_connection_made(run_hostile):
    run_hostile(
        """
        class Interrupted(asyncio.Protocol):
            def connection_made(self, transport):
                raise KeyboardInterrupt

        here, there = pair()
        task = loop.create_task(asyncio.wait_for(transport_of(here, Interrupted), 5))
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted")
        transport = loop.run_until_complete(task)
        print(transport.is_reading())
    """,
        "interrupted True",
    )


def test_interrupt_between_datagrams(run_hostile):
    run_hostile(
        """
        class Interrupted(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                print(data.decode())
                if data == b"0":
                    raise KeyboardInterrupt

        transport, _ = loop.run_until_complete(
            loop.create_datagram_endpoint(Interrupted, local_addr=("127.0.0.1", 0))
        )
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for number in range(3):
            sender.sendto(str(number).encode(), transport.get_extra_info("sockname"))
        for _ in range(2):
            try:
                run_for(0.05)
            except KeyboardInterrupt:
                pass
    """,
        "0 1 2",
    )


def test_protocol_that_raises_when_looked_at(run_hostile):
    run_hostile(
        """
        class Odd:
            def __getattr__(self, name):
                raise ValueError(name)

        loop.set_exception_handler(lambda loop, context: None)
        server = loop.run_until_complete(loop.create_server(Odd, "127.0.0.1", 0))
        client = socket.create_connection(server.sockets[0].getsockname())
        run_for(0.05)
        print(getattr(server, "_active_count", None) or len(getattr(server, "_clients", ())))
    """,
        "0",
    )


def test_accepted_connection_is_closed_once(run_hostile):
    run_hostile("""
        import tempfile, warnings
        warnings.simplefilter("ignore")

        def refuse(name):
            raise ValueError(name)

        loop.set_exception_handler(lambda loop, context: None)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "server")
            server = loop.run_until_complete(loop.create_unix_server(asyncio.Protocol, path))
            client = socket.socket(socket.AF_UNIX)
            client.bind(os.path.join(folder, "client"))
            client.connect(path)
            gc.disable()
            real, os.fsdecode = os.fsdecode, refuse
            run_for(0.05)
            os.fsdecode = real
            opened = [os.open("/", os.O_RDONLY) for _ in range(5)]
            gc.collect()
            for each in opened:
                os.fstat(each)
    """)


def test_transport_closes_even_if_warnings_are_errors(run_hostile):
    run_hostile(
        """
        import warnings
        warnings.simplefilter("error")
        made = []

        class Silent(asyncio.Protocol):
            def connection_made(self, transport):
                transport.pause_reading()
                made.append(transport.fd)

        server = loop.run_until_complete(loop.create_server(Silent, "127.0.0.1", 0))
        client = socket.create_connection(server.sockets[0].getsockname())
        run_for(0.05)
        gc.collect()
        try:
            os.fstat(made[0])
        except OSError:
            print("closed")
    """,
        "closed",
    )


# Threads


def test_wrong_call_from_a_thread_does_not_hide_right_ones(run_hostile):
    run_hostile(
        """
        def thread():
            time.sleep(0.2)
            loop.call_soon(print, "wrong")
            time.sleep(0.1)
            loop.call_soon_threadsafe(loop.stop)

        threading.Thread(target=thread).start()
        loop.run_forever()
    """,
        "wrong",
    )


def test_call_from_a_thread_while_the_patched_clock_is_read(run_hostile):
    run_hostile(
        """
        armed = False
        asked, called = threading.Event(), threading.Event()

        def slow():
            global armed
            if armed:
                armed = False
                asked.set()
                called.wait(1)
            return time.monotonic()

        def thread():
            asked.wait()
            loop.call_soon_threadsafe(loop.stop)
            called.set()

        def arm():
            global armed
            armed = True

        threading.Thread(target=thread, daemon=True).start()
        loop.time = slow
        loop.call_later(100, print)
        loop.call_later(0.1, arm)
        loop.run_forever()
        print("woken")
    """,
        "woken",
    )
