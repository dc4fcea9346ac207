"""everloop itself, the loop that is judged."""

import everloop
from benchmarks.peers.watcher_api import FullWatcherPeer


class Everloop(FullWatcherPeer):
    """everloop's watchers."""

    module = everloop
    module_name = "everloop"

    def close(self) -> None:
        self.loop.close()
