"""Dispatch: read-ready pipes, level-triggered and never read, whose callbacks do nothing.

Each pass of the loop finds all of them ready. The callback of one pipe counts the passes and stops
the loop at the last one, so that no peer is entered anew for each pass.
"""

from functools import partial

from benchmarks.callbacks import counting_down, ignoring
from benchmarks.descriptors import idle_descriptors, ready_pipes
from benchmarks.peers.peer import Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, single


def _dispatch(
    ready: int, with_idle: bool, peer_class: type[Peer], scale: Scale, watched: bool = False
) -> float:
    """CPU time per event with `ready` pipes ready in each pass, perhaps among many idle ones.

    Counting for statistics is on in every row. `watched`: a watchdog's thread looks at what is
    being called, too, which the loop then has to note.
    """
    peer = peer_class()
    if watched:
        peer.watch_over()
    tick, set_passes = counting_down(peer)
    ignore = ignoring(peer)

    def run(count: int) -> int:
        passes = max(1, count // ready)
        set_passes(passes)
        return cpu_ns(peer.run) * count // (passes * ready)

    with ready_pipes(ready) as fds, idle_descriptors(scale.idle if with_idle else 0) as idle:
        watchers = [peer.watch(fd, tick if fd == fds[-1] else ignore) for fd in fds]
        watchers += [peer.watch(fd, ignore) for fd in idle]
        figure = per_operation(run, scale)
        peer.close()
        del watchers
    return figure


_MANY_TARGETS = (Target(0.92), Target(1.12, "floor"))

GROUP = Group(
    "dispatch",
    "Dispatch of ready pipes",
    (
        single(
            Row("dispatch-1", "1 ready", "ns/event", (Target(0.95),)),
            partial(_dispatch, 1, False),
        ),
        *(
            single(
                Row(f"dispatch-{ready}", f"{ready:,} ready", "ns/event", _MANY_TARGETS),
                partial(_dispatch, ready, False),
            )
            for ready in (10, 100, 1000)
        ),
        single(
            Row("dispatch-idle", "100 ready among {idle:,} idle", "ns/event", _MANY_TARGETS),
            partial(_dispatch, 100, True),
        ),
        single(
            Row("dispatch-watched", "100 ready, with a watchdog", "ns/event"),
            partial(_dispatch, 100, False, watched=True),
        ),
    ),
)
