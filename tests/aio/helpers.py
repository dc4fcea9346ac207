"""What the tests of the asyncio face share: protocols that record, and pairs of connections."""

import asyncio
import contextlib
import socket
import struct
import threading

from patience import patient

# What a test waits for happens long before.
PATIENCE = patient(20)


class Recorder(asyncio.Protocol):
    """Keeps what it is told, in order; ``until`` waits for it."""

    def __init__(self, keep_open=False):
        self.calls = []
        self.data = bytearray()
        self.error = self.transport = None
        self.keep_open = keep_open
        self.told = asyncio.Event()

    def note(self, what):
        self.calls.append(what)
        self.told.set()

    async def until(self, condition):
        while not condition():
            self.told.clear()
            await self.told.wait()

    async def gets(self, what):
        await self.until(lambda: what in self.calls)

    async def receives(self, data):
        await self.until(lambda: len(self.data) >= len(data) or "lost" in self.calls)
        assert self.data == data

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def data_received(self, data):
        assert type(data) is bytes and data
        self.data += data
        self.note("data")

    def eof_received(self):
        self.note("eof")
        return self.keep_open

    def connection_lost(self, error):
        self.error = error
        self.note("lost")

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")


class Buffered(Recorder, asyncio.BufferedProtocol):
    """The same, reading into a buffer of its own."""

    def __init__(self, size=1000, **options):
        super().__init__(**options)
        self.buffer = bytearray(size)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.data += self.buffer[:count]
        self.note("data")


def tcp_pair():
    """Two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    return one, other


def unix_pair():
    return socket.socketpair()


class Connection:
    """A transport with a Recorder, and the plain socket at the other end."""

    def __init__(self, transport, protocol, peer):
        self.transport, self.protocol, self.peer = transport, protocol, peer


@contextlib.asynccontextmanager
async def connection(protocol=None, make_pair=tcp_pair):
    """One end of a pair as a transport, the other as a non-blocking socket."""
    one, peer = make_pair()
    one.setblocking(False)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    with peer:
        transport, made = await loop.create_connection(
            lambda: Recorder() if protocol is None else protocol, sock=one
        )
        try:
            yield Connection(transport, made, peer)
        finally:
            transport.abort()
            await made.gets("lost")
            # connection_lost() is called before the socket is closed.
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connected(one=None, other=None, make_pair=tcp_pair):
    """Two transports that are connected, as their protocols."""
    async with connection(one, make_pair) as near:
        loop = asyncio.get_running_loop()
        sock = socket.socket(fileno=near.peer.detach())
        transport, far = await loop.create_connection(lambda: other or Recorder(), sock=sock)
        try:
            yield near.protocol, far
        finally:
            transport.abort()
            await far.gets("lost")
            await asyncio.sleep(0)


async def received(sock, size):
    """So many bytes from a non-blocking socket, fewer only if the stream ends."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        # No more room at once than can come: a sanitizer takes long to make it.
        piece = await loop.sock_recv(sock, min(size - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    return bytes(data)


def shrink_buffers(*sockets):
    """Have the kernel hold little, so that writers soon have to wait."""
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def small_pair():
    pair = unix_pair()
    shrink_buffers(*pair)
    return pair


def reset(sock):
    """Close a TCP socket so that the peer is told of a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def in_thread(function, *args):
    """Call in a thread, and give what it returned or raised."""
    results = []

    def call():
        try:
            results.append(function(*args))
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return results[0]
