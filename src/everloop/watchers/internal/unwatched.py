"""What becomes of the loop's own Io watchers that the kernel would not watch.

Their users, a Child or a Stat say, must not go deaf for it. Without memory, or with
too many watches (``Loop.unwatched``), such an Io is served from time to time instead,
as if it were ready, and the kernel is asked again: its callback looks for news, and does
not mind if there are none. If its descriptor was closed, it is made anew.

Invariants:
- An Io in ``Loop.unwatched`` is inactive. It is still wanted if it is flagged UNWATCHED:
  whoever stops it takes the flag away.
- ``Loop.retry`` is an active internal Timer while there are such, else None.
"""

import os

import cython
from cython.cimports.everloop.constants import EV_MAXPRI, EV_READ
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.failures import describe
from cython.cimports.everloop.queues.entry import INTERNAL, UNWATCHED
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.child import renew_pidfd
from cython.cimports.everloop.watchers.embed import embed_of
from cython.cimports.everloop.watchers.internal.jumps import watch_no_longer
from cython.cimports.everloop.watchers.io import Io
from cython.cimports.everloop.watchers.signal import leave_signalfd, reopen_signalfd
from cython.cimports.everloop.watchers.stat import rebuild_stats
from cython.cimports.everloop.watchers.timer import Timer, new_timer
from cython.cimports.everloop.watchers.tree import is_of_tree, renew_tree
from cython.cimports.libc.errno import EBADF

RETRIED_EVERY = 0.1  # seconds


@cython.cfunc
@cython.exceptval(-1, check=False)
def internal_refused(loop: CallingLoop, io: Io, error: cython.int) -> cython.int:
    """The kernel can't watch an internal Io. Raises OSError for a loop that can't be embedded."""
    if error == EBADF:
        return make_anew(loop, io, error)
    Io.stop(io)
    io.flags |= UNWATCHED
    loop.unwatched.append(io)
    if loop.retry is None:
        retry: Timer = new_timer(loop, RETRIED_EVERY, RETRIED_EVERY, on_retry, None, EV_MAXPRI)
        retry.flags |= INTERNAL
        Timer.start(retry)
        loop.retry = retry
    return 0


def on_retry(timer: Watcher, revents):
    loop: CallingLoop = timer.loop
    unwatched: list = loop.unwatched
    loop.unwatched = []
    loop.retry = None
    Timer.stop(timer)
    io: Io
    for io in unwatched:
        if io.flags & UNWATCHED:
            io.flags &= ~UNWATCHED
            Io.start(io)
            loop.feed(io, EV_READ)


@cython.cfunc
@cython.exceptval(-1, check=False)
def make_anew(loop: CallingLoop, io: Io, error: cython.int) -> cython.int:
    """Somebody closed the descriptor. It is open no more, so closing it does no harm."""
    if io is loop.jumps:
        return watch_no_longer(loop)
    if io is loop.signal_io:
        leave_signalfd(loop)
        return reopen_signalfd(loop)
    if loop.stats is not None and io.data is loop.stats:
        return rebuild_stats(loop)
    if is_of_tree(io):
        return renew_tree(io)
    embed: Watcher = embed_of(io)
    if embed is None:
        return renew_pidfd(loop, io)
    name: str = describe(embed)
    embed.stop()
    raise OSError(error, f"{os.strerror(error)}: {name} had to be stopped")
