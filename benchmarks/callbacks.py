"""The callbacks on the hottest paths, with exactly the arguments that a peer passes.

Filling in a default costs a tenth of such a call, so each callback exists for peers that pass
(watcher, revents) and for those that pass nothing.
"""

from collections.abc import Callable

from benchmarks.peers.peer import Callback, Peer


def _ignore_event(watcher: object, revents: object) -> None:
    pass


def _ignore() -> None:
    pass


def ignoring(peer: Peer) -> Callback:
    """A callback that does nothing."""
    return _ignore_event if peer.arguments else _ignore


def counting_down(peer: Peer) -> tuple[Callback, Callable[[int], None]]:
    """A callback that stops the loop at the nth call, and what sets n."""
    remaining = 0
    stop = peer.stop

    def set_remaining(count: int) -> None:
        nonlocal remaining
        remaining = count

    def count_event(watcher: object, revents: object) -> None:
        nonlocal remaining
        remaining -= 1
        if not remaining:
            stop()

    def count() -> None:
        nonlocal remaining
        remaining -= 1
        if not remaining:
            stop()

    return (count_event if peer.arguments else count), set_remaining
