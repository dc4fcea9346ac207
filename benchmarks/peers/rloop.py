"""Rloop, written in Rust."""

import rloop

from benchmarks.peers.asyncio_api import AsyncioPeer


class Rloop(AsyncioPeer):
    """Mio under asyncio's interface."""

    module_name = "rloop"

    def __init__(self) -> None:
        super().__init__(rloop.new_event_loop())
