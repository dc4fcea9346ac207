"""Memory: by how much the resident set grows for each idle TCP connection."""

import asyncio
import gc
import socket
from asyncio import AbstractEventLoop
from contextlib import closing

from benchmarks.load import Generator, Load
from benchmarks.peers import LOOPS
from benchmarks.peers.peer import Peer
from benchmarks.services import PROTOCOL, Echo, start_protocol
from benchmarks.workload import ASYNCIO, Group, Row, Scale, single
from benchmarks.workloads.memory import fill_holes, resident

_WARM_UP = 100
_CONNECTIONS = 2000
_POLL = 0.01


class _Connections:
    """Counts the connections of a server."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> Echo:
        self.count += 1
        return Echo()


def _connection(peer_class: type[Peer], scale: Scale) -> float:
    """Bytes for each connection with a transport and a protocol, after it was accepted."""
    with closing(peer_class.new_event_loop()) as loop, PROTOCOL.bind() as bound:
        return loop.run_until_complete(_growth(loop, bound))


async def _growth(loop: AbstractEventLoop, bound: socket.socket) -> float:
    connections = _Connections()
    address = bound.getsockname()
    stop = await start_protocol(connections.add, loop, bound)
    with closing(_connect(_WARM_UP, address)):
        await _accepted(connections, _WARM_UP)
        filling = fill_holes()
        before = resident()
        with closing(_connect(_CONNECTIONS, address)):
            await _accepted(connections, _WARM_UP + _CONNECTIONS)
            gc.collect()
            grown = resident() - before
    stop()
    await asyncio.sleep(_POLL)
    del filling
    return grown / _CONNECTIONS


def _connect(count: int, address: tuple[str, int]) -> Generator:
    """Connections from another process."""
    return Load("idle", count).start(address, 0, 0)


async def _accepted(connections: _Connections, count: int) -> None:
    """Wait until there are so many, and until the loop has done all that it does for them."""
    async with asyncio.timeout(30.0):
        while connections.count < count:
            await asyncio.sleep(_POLL)
        await asyncio.sleep(_POLL)


GROUP = Group(
    "asyncio-memory",
    "asyncio: memory",
    (
        single(
            Row("memory-connection", "idle TCP connection", "bytes"),
            _connection,
            isolated=True,
            retaken=False,
        ),
    ),
    ASYNCIO,
    LOOPS,
)
