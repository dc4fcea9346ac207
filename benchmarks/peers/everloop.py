"""everloop itself, the loop that is judged."""

from typing import TYPE_CHECKING

import everloop
from benchmarks.outcomes import Unavailable
from benchmarks.peers.watcher_api import FullWatcherPeer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class Everloop(FullWatcherPeer):
    """everloop's watchers, and its asyncio event loop."""

    module = everloop
    module_name = "everloop"

    def watch_over(self) -> None:
        everloop.watchdog(self.loop, 10.0)

    def close(self) -> None:
        self.loop.close()

    @classmethod
    def new_event_loop(cls) -> "AbstractEventLoop":
        make = getattr(everloop, "new_event_loop", None)
        if make is None:
            raise Unavailable("no new_event_loop")
        return make()
