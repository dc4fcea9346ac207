"""Checks the harness itself: a stand-in that is a peer must come out as that peer."""

from collections.abc import Callable

from benchmarks import peers, report, verdict
from benchmarks.harness import Harness
from benchmarks.workload import ASYNCIO, WATCHERS, Group, Scale
from benchmarks.workloads import groups

_STAND_INS = {WATCHERS: peers.STAND_IN, ASYNCIO: peers.LOOP_STAND_IN}
_WORKLOADS = {
    *("dispatch-1", "dispatch-100", "start-stop", "toggle", "timers-few", "ring"),
    *("call-soon-batch", "sleep-0-100", "echo-1", "echo-100", "streams", "connect"),
}
_TOLERANCE = 0.05


def run(scale: Scale, say: Callable[[str], None]) -> int:
    """Measure peers and their stand-ins; returns 1 if any ratio is not about 1.00."""
    off = [name for group in groups() for name in _off(group, scale, say)]
    print(f"not about 1.00: {', '.join(off)}" if off else "all ratios are about 1.00")
    return 1 if off else 0


def _off(group: Group, scale: Scale, say: Callable[[str], None]) -> list[str]:
    """The names of the group's rows whose ratio is not about 1.00."""
    chosen = [work for work in group.workloads if work.name in _WORKLOADS]
    if not chosen:
        return []
    stand_in = _STAND_INS[group.interface]
    names = (stand_in, peers.stood_for(stand_in))
    harness = Harness(scale, names, say)
    harness.run(group, chosen)
    say("")
    print(report.table(group, chosen, harness.results, names, stand_in, scale), "\n")
    rows = [row.name for work in chosen for row in work.rows]
    ratios = {name: verdict.ratio(harness.results[name], *names) for name in rows}
    return [
        name for name, found in ratios.items() if not found or abs(found.paired - 1.0) > _TOLERANCE
    ]
