"""Entry: what the loop's structures know of a watcher.

They hold watchers of any kind and need none of what a kind adds, but for its places in
them. So no structure knows a watcher, and no circle of headers comes about.
"""

import cython


@cython.cclass
class Entry:
    """The base of Watcher; not to be made itself."""


@cython.cfunc
@cython.exceptval(-1, check=False)
def remove_from(watchers: list, watcher: Entry) -> cython.int:
    """Remove watcher itself, whatever a subclass takes for equal; whether it was there."""
    place: cython.Py_ssize_t
    for place in range(len(watchers)):
        if watchers[place] is watcher:
            del watchers[place]
            return 1
    return 0
