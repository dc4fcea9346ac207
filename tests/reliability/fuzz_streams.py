"""Streams in pieces of all sizes, plain and by TLS, whole, cut off and garbled.

One end is a transport of everloop's, client or server; the other one is plain code on a socket,
and an SSLObject. Whole streams arrive whole, both ways, and end as they should; those that were
changed under way end with an error or early, never with other data, and never not at all.
"""

import asyncio
import contextlib
import functools
import os
import socket
import ssl
import tempfile
import zlib

import everloop

from .choices import Choices
from .faults_run import BACKENDS, make_certificate

PATIENCE = 20.0 * float(os.environ.get("EVERLOOP_TEST_PATIENCE", "1"))
SOON = 0.2
SIZES = (1, 2, 5, 17, 100, 1000, 16_384, 16_385, 70_000)
PIECES = (1, 2, 3, 5, 6, 21, 100, 1400, 16_000, 100_000)
STREAM = bytes(zlib.crc32(b"%d" % i) & 255 for i in range(5000)) * 80


def piece(choices, done):
    """The size of the next one; once much is done, a large one, or it would take long."""
    return choices.choice(PIECES) if done < 10_000 else PIECES[-2]


class Wrong(AssertionError):
    """A transport did what it must not."""


@functools.cache
def contexts():
    """(of a server, of a client), made once."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "certificate.pem")
        make_certificate(path)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(path)
        client = ssl.create_default_context(cafile=path)
    return server, client


class Echo(asyncio.Protocol):
    """Sends back what it gets, with pauses, and notes what it is told."""

    def __init__(self, choices, loop):
        self.choices = choices
        self.received = bytearray()
        self.transport = None
        self.lost = loop.create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        if self.choices.chance(8):
            self.transport.writelines([data[:3], data[3:]])
        else:
            self.transport.write(data)
        if self.choices.chance(8) and self.transport.is_reading():
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.0, self.resume)

    def resume(self):
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, error):
        self.lost.set_result(error)


class BufferedEcho(Echo, asyncio.BufferedProtocol):
    def get_buffer(self, size):
        self.buffer = bytearray(piece(self.choices, len(self.received)))
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(bytes(self.buffer[:count]))


class Wire:
    """The other end's socket: what goes out is cut into pieces, and may be changed."""

    def __init__(self, choices, sock, changing):
        self.choices, self.sock = choices, sock
        self.loop = asyncio.get_running_loop()
        self.sent = self.received = 0
        self.change = choices.choice(("garble", "cut off", "insert", "drop")) if changing else None
        self.change_at = choices.randrange(6000) if changing else -1
        self.changed = self.over = False

    async def send(self, data):
        while data and not self.over:
            size = piece(self.choices, self.sent)
            part, data = data[:size], data[size:]
            self.sent += len(part)
            await self.loop.sock_sendall(self.sock, self.altered(part))
            if self.over:
                self.sock.shutdown(socket.SHUT_WR)
            for _ in range(self.choices.randrange(3)):
                await asyncio.sleep(0)

    def altered(self, part):
        if self.change is None or self.changed or self.sent <= self.change_at:
            return part
        at = self.choices.randrange(len(part))
        self.changed = True
        if self.change == "garble":
            bit = 1 << self.choices.randrange(8)
            return part[:at] + bytes([part[at] ^ bit]) + part[at + 1 :]
        if self.change == "insert":
            return part[:at] + STREAM[: self.choices.choice(SIZES)] + part[at:]
        if self.change == "cut off":
            self.over = True
        return part[:at]

    async def receive(self):
        data = await self.loop.sock_recv(self.sock, piece(self.choices, self.received))
        self.received += len(data)
        return data


class Plain:
    """The other end of a plain stream."""

    def __init__(self, wire, secure):
        self.wire = wire

    async def begin(self):
        pass

    async def write(self, data):
        await self.wire.send(data)

    async def read(self):
        return await self.wire.receive()

    async def end(self):
        if not self.wire.over:
            self.wire.sock.shutdown(socket.SHUT_WR)


class Secure:
    """The other end of one by TLS."""

    def __init__(self, wire, server_side):
        self.wire = wire
        server, client = contexts()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.flushing = asyncio.Lock()
        context = server if server_side else client
        self.object = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server_side,
            server_hostname=None if server_side else "localhost",
        )

    async def begin(self):
        await self.do(self.object.do_handshake)

    async def do(self, call, *arguments):
        """An operation of the SSLObject, with what it takes from the wire and gives to it."""
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self.wire.receive()
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            finally:
                await self.flush()

    async def flush(self):
        async with self.flushing:
            await self.wire.send(self.outgoing.read())

    async def write(self, data):
        while data:
            data = data[self.object.write(data) :]
            await self.flush()

    async def read(self):
        try:
            return await self.do(self.object.read, self.wire.choices.choice(PIECES))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def end(self):
        with contextlib.suppress(ssl.SSLError):
            self.object.unwrap()
        await self.flush()


async def made(loop, protocol, sock, tls, server_side):
    """The transport of everloop's end; raises what the handshake does."""
    server, client = contexts() if tls else (None, None)
    if server_side:
        await loop.connect_accepted_socket(lambda: protocol, sock, ssl=server)
    else:
        name = "localhost" if tls else None
        await loop.create_connection(lambda: protocol, sock=sock, ssl=client, server_hostname=name)


async def converse(choices, other, received):
    """What the other end does: it sends, and reads what comes back."""
    await other.begin()
    sent = bytearray()
    for _ in range(choices.randrange(1, 6)):
        data = STREAM[len(sent) :][: choices.choice(SIZES)]
        sent += data
        writing = asyncio.ensure_future(other.write(data))
        try:
            while len(received) < len(sent) and (data := await other.read()):
                received += data
        finally:
            await writing
        if len(received) < len(sent):
            break
    await other.end()
    while data := await other.read():
        received += data
    return sent


async def run_stream(choices, tls, changing):
    loop = asyncio.get_running_loop()
    reported = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    server_side = bool(choices.randrange(2))
    protocol = choices.choice((Echo, BufferedEcho))(choices, loop)
    mine, others = socket.socketpair()
    received = bytearray()
    with mine, others:
        for sock in (mine, others):
            sock.setblocking(False)
        wire = Wire(choices, others, changing)
        other = (Secure if tls else Plain)(wire, not server_side)
        making = asyncio.ensure_future(made(loop, protocol, mine, tls, server_side))
        error = None
        # Where it was changed, both may wait for the rest of a record that will not come.
        limit = SOON if changing else PATIENCE
        try:
            sent = await asyncio.wait_for(converse(choices, other, received), limit)
        except TimeoutError as failed:
            error = failed
            if not changing:
                raise Wrong("it has not ended") from failed
        except (OSError, ssl.SSLError) as failed:
            error = failed
        others.close()
        try:
            await asyncio.wait_for(making, PATIENCE)
            lost = await asyncio.wait_for(protocol.lost, PATIENCE)
        except (OSError, ssl.SSLError) as failed:
            lost = failed
    if isinstance(lost, TimeoutError):
        raise Wrong("its end was not told of")
    for context in reported:
        if not isinstance(context.get("exception"), (OSError, ssl.SSLError)):
            raise Wrong(f"told of {context}")
    if wire.changed:
        # TLS lets nothing else through than what was sent, from its beginning on.
        if not STREAM.startswith(protocol.received):
            raise Wrong("other data arrived")
        return None
    if changing and isinstance(error, TimeoutError):
        return None
    if error is not None or lost is not None or reported:
        raise Wrong(f"nothing was changed, but {error!r}, {lost!r}, {reported}")
    if not sent == protocol.received == received:
        raise Wrong(
            f"{len(sent)} sent, {len(protocol.received)} arrived, {len(received)} back: "
            f"as sent: {protocol.received == sent}, {received == sent}"
        )


def run(data, tls, changing):
    choices = Choices(data)
    flags = choices.choice([*BACKENDS.values()])
    with asyncio.Runner(loop_factory=lambda: everloop.EventLoop(flags)) as runner:
        runner.run(run_stream(choices, tls, changing))
        runner.get_loop().verify()


TARGETS = {
    "plain": functools.partial(run, tls=False, changing=False),
    "tls": functools.partial(run, tls=True, changing=False),
    "changed": functools.partial(run, tls=True, changing=True),
}
