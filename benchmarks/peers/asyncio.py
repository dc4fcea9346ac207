"""The selector loop of the standard library."""

import asyncio
from asyncio import AbstractEventLoop

from benchmarks.peers.asyncio_api import AsyncioPeer


class Asyncio(AsyncioPeer):
    """The standard library's loop."""

    module_name = "asyncio"

    @classmethod
    def new_event_loop(cls) -> AbstractEventLoop:
        return asyncio.SelectorEventLoop()
