"""BufferedProtocols over TLS, whatever their room is."""

import asyncio
import ssl

import pytest

import everloop

from .helpers import PATIENCE

ROOMS = {
    "bytearray": lambda size: bytearray(size),
    "memoryview": lambda size: memoryview(bytearray(size)),
}


class Buffered(asyncio.BufferedProtocol):
    def __init__(self, make_room, size):
        self.make_room, self.size = make_room, size
        self.received = bytearray()
        self.ended = asyncio.get_running_loop().create_future()

    def get_buffer(self, hint):
        self.room = self.make_room(self.size)
        return self.room

    def buffer_updated(self, count):
        self.received += self.room[:count]
        if type(self.room) is bytearray:
            self.room.append(0)

    def connection_lost(self, error):
        self.ended.set_result(error)


@pytest.mark.parametrize("size", [1, 7, 30, 100, 100_000])
@pytest.mark.parametrize("make_room", ROOMS.values(), ids=ROOMS)
def test_records_that_arrive_together_are_all_there(certificate, make_room, size):
    """asyncio's loop loses all but the first record in a bytearray."""
    pieces = [b"A" * 30, b"B" * 30, b"C" * 20_000, b"D"]
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(certificate)
    client_tls = ssl.create_default_context(cafile=certificate)

    async def serve(reader, writer):
        for piece in pieces:
            writer.write(piece)
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: Buffered(make_room, size),
            *server.sockets[0].getsockname(),
            ssl=client_tls,
            server_hostname="localhost",
        )
        assert await asyncio.wait_for(protocol.ended, PATIENCE) is None
        server.close()
        return protocol.received

    with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
        assert runner.run(main()) == b"".join(pieces)
