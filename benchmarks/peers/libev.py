"""libev by a hand-written C binding (libev.c): the peer that a watcher library has to beat."""

from benchmarks.extensions import load_extension
from benchmarks.peers.watcher_api import FullWatcherPeer


class Libev(FullWatcherPeer):
    """libev's own watchers."""

    module_name = "bench_libev"
    module = load_extension(module_name)
