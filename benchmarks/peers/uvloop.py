"""Uvloop, libuv in Cython."""

import uvloop

from benchmarks.peers.asyncio_api import AsyncioPeer


class Uvloop(AsyncioPeer):
    """Libuv under asyncio's interface."""

    module_name = "uvloop"

    def __init__(self) -> None:
        super().__init__(uvloop.new_event_loop())
