"""Rloop, written in Rust."""

from asyncio import AbstractEventLoop

import rloop

from benchmarks.peers.asyncio_api import AsyncioPeer


class Rloop(AsyncioPeer):
    """Mio under asyncio's interface."""

    module_name = "rloop"

    @classmethod
    def new_event_loop(cls) -> AbstractEventLoop:
        return rloop.new_event_loop()
