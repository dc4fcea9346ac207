"""Collector: what collects the writes of a callback, to send them when it ends."""

import cython


@cython.cclass
class Collector:
    """The base of transports that collect. The loop keeps a chain of those that have."""

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def send_collected(self) -> cython.int:
        """The callback that wrote has ended, or somebody asks how far things are."""
        return 0
