"""Checks the harness itself: a stand-in that is a peer must come out as that peer."""

from collections.abc import Callable

from benchmarks import peers, report, verdict
from benchmarks.harness import Harness
from benchmarks.workload import Scale
from benchmarks.workloads import GROUPS

_WORKLOADS = ("dispatch-1", "dispatch-100", "start-stop", "toggle", "timers-few", "ring")
_TOLERANCE = 0.05


def run(scale: Scale, say: Callable[[str], None]) -> int:
    """Measure a peer and its stand-in; returns 1 if any ratio is not about 1.00."""
    original = peers.stood_for()
    names = (peers.STAND_IN, original)
    harness = Harness(scale, names, say)
    off = []
    for group in GROUPS:
        chosen = [work for work in group.workloads if work.name in _WORKLOADS]
        if not chosen:
            continue
        harness.run(group, chosen)
        say("")
        print(report.table(group, chosen, harness.results, names, peers.STAND_IN, scale), "\n")
        for row in (row for work in chosen for row in work.rows):
            found = verdict.ratio(harness.results[row.name], *names)
            if found is None or abs(found.paired - 1.0) > _TOLERANCE:
                off.append(row.name)
    print(f"not about 1.00: {', '.join(off)}" if off else "all ratios are about 1.00")
    return 1 if off else 0
