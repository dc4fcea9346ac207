"""Uvloop, libuv in Cython."""

from asyncio import AbstractEventLoop

import uvloop

from benchmarks.peers.asyncio_api import AsyncioPeer


class Uvloop(AsyncioPeer):
    """Libuv under asyncio's interface."""

    module_name = "uvloop"

    @classmethod
    def new_event_loop(cls) -> AbstractEventLoop:
        return uvloop.new_event_loop()
