"""Statistics of an EventLoop: what asyncio's side adds to those of the watchers."""

import asyncio
import socket
import threading

from everloop.statistics import Statistics


def test_calls(loop, run):
    async def main():
        for _ in range(10):
            await asyncio.sleep(0)

    run(main())
    found = loop.statistics()
    assert type(found) is Statistics
    assert found.calls >= 10
    assert found.callbacks >= found.calls


def test_the_most_that_were_ready(loop, run_round):
    for _ in range(50):
        loop.call_soon(int)
    assert loop.statistics().ready == 50
    run_round()
    found = loop.statistics()
    assert (found.ready, found.ready_most) == (0, 51)


def test_timers_are_events(loop, run):
    async def main():
        await asyncio.sleep(0.001)

    before = loop.statistics()
    run(main())
    after = loop.statistics().since(before)
    assert after.events["timer"] >= 1
    assert after.timer_lateness.count >= 1


def test_streams(loop, run):
    async def main():
        async def serve(reader, writer):
            writer.write(await reader.readexactly(100_000))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            while_open = loop.statistics().transports
            writer.write(b"x" * 100_000)
            assert len(await reader.read()) == 100_000
            writer.close()
            await writer.wait_closed()
        return while_open

    assert run(main()) >= 1
    found = loop.statistics()
    assert (found.transports, found.transports_made) == (0, 2)
    assert (found.bytes_received, found.bytes_sent) == (200_000, 200_000)


def test_buffered_protocol(loop, run):
    class Protocol(asyncio.BufferedProtocol):
        def __init__(self):
            self.done = loop.create_future()
            self.room = bytearray(64)

        def get_buffer(self, size):
            return self.room

        def buffer_updated(self, count):
            self.done.set_result(count)

    async def main():
        ours, theirs = socket.socketpair()
        with theirs:
            transport, protocol = await loop.connect_accepted_socket(Protocol, ours)
            theirs.send(b"12345")
            await protocol.done
            transport.close()

    run(main())
    assert loop.statistics().bytes_received == 5


def test_datagrams(loop, run):
    class Protocol(asyncio.DatagramProtocol):
        def __init__(self):
            self.left = 3
            self.done = loop.create_future()

        def datagram_received(self, data, address):
            self.left -= 1
            if not self.left:
                self.done.set_result(None)

    async def main():
        receiver, protocol = await loop.create_datagram_endpoint(
            Protocol, local_addr=("127.0.0.1", 0)
        )
        sender, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=receiver.get_extra_info("sockname")
        )
        for _ in range(3):
            sender.sendto(b"x" * 100)
        await protocol.done
        sender.close()
        receiver.close()
        await asyncio.sleep(0)

    run(main())
    found = loop.statistics()
    assert (found.bytes_received, found.bytes_sent) == (300, 300)
    assert (found.transports, found.transports_made) == (0, 2)


def test_wakeups(loop, run):
    async def main():
        done = loop.create_future()
        thread = threading.Timer(
            0.05, loop.call_soon_threadsafe, (lambda: done.done() or done.set_result(None),)
        )
        thread.start()
        await done
        thread.join()

    run(main())
    assert loop.statistics().wakeups >= 1


def test_calls_are_timed(loop, run_round):
    loop.call_soon(int)
    run_round()
    assert loop.statistics().callback_duration.count == 2
