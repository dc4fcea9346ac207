"""The selector loop of the standard library."""

import asyncio

from benchmarks.peers.asyncio_api import AsyncioPeer


class Asyncio(AsyncioPeer):
    """The standard library's loop."""

    module_name = "asyncio"

    def __init__(self) -> None:
        super().__init__(asyncio.SelectorEventLoop())
