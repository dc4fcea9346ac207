"""The floor (floor.c): the least work in C that calls the same Python callbacks."""

from benchmarks.extensions import load_extension
from benchmarks.peers.watcher_api import WatcherPeer


class Floor(WatcherPeer):
    """No event loop, but what none can go below."""

    module_name = "bench_floor"
    module = load_extension(module_name)

    def expect_threads(self) -> None:
        self.loop.threaded = True
