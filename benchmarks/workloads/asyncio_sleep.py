"""Precision of asyncio.sleep, by a clock that no loop has a hand in."""

import asyncio
import statistics
from contextlib import closing
from time import monotonic

from benchmarks.peers import LOOPS
from benchmarks.peers.peer import Peer
from benchmarks.workload import ASYNCIO, Group, Row, Scale, Target, Workload
from benchmarks.workloads.timers import delays

_SLEEPS = 1000
_TASKS = 10
_SHORTEST, _LONGEST = 0.0001, 0.003


def _lateness(peer_class: type[Peer], scale: Scale) -> dict[str, float]:
    """How many of the sleeps end early, and by how many microseconds they are late."""
    late: list[float] = []

    async def sleep(after: list[float]) -> None:
        for delay in after:
            before = monotonic()
            await asyncio.sleep(delay)
            late.append((monotonic() - before - delay) * 1e6)

    async def sleep_in_tasks() -> None:
        after = delays(_SLEEPS, _SHORTEST, _LONGEST)
        await asyncio.gather(*(sleep(after[index::_TASKS]) for index in range(_TASKS)))

    with closing(peer_class.new_event_loop()) as loop:
        loop.run_until_complete(sleep_in_tasks())
    return {
        "sleep-early": sum(1 for lateness in late if lateness < 0.0),
        "sleep-late": statistics.median(late),
    }


GROUP = Group(
    "asyncio-sleep",
    f"asyncio: {_SLEEPS:,} sleeps of 0.1 to 3 ms",
    (
        Workload(
            "sleep-precision",
            _lateness,
            (
                Row("sleep-early", "early", "sleeps", (Target(0.0, None, worst=True),)),
                Row("sleep-late", "median lateness", "us"),
            ),
        ),
    ),
    ASYNCIO,
    LOOPS,
)
