"""The floor: the least work in C that calls the same Python callbacks (floor.c).

Of the asyncio rows, which are about more than that, servers in C are the floor (floor_servers.c).
"""

from socket import socket
from typing import TYPE_CHECKING

from benchmarks.extensions import load_extension
from benchmarks.outcomes import Unavailable
from benchmarks.peers.watcher_api import WatcherPeer

if TYPE_CHECKING:
    from benchmarks.services import Service


class Floor(WatcherPeer):
    """No event loop, but what none can go below."""

    module_name = "bench_floor"
    module = load_extension(module_name)

    def expect_threads(self) -> None:
        self.loop.threaded = True

    @classmethod
    def serve(cls, service: "Service", bound: socket, done: int) -> None:
        if service.floor is None:
            raise Unavailable("no server in C")
        service.floor(load_extension("bench_floor_servers"), bound.fileno(), done)
