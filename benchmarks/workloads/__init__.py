"""The workloads, in the order in which they run."""

from benchmarks.workload import Group, Workload
from benchmarks.workloads import (
    dispatch,
    imports,
    lateness,
    memory,
    other_watchers,
    registration,
    ring,
    timers,
    wakeups,
)

GROUPS: tuple[Group, ...] = (
    dispatch.GROUP,
    registration.GROUP,
    timers.GROUP,
    wakeups.GROUP,
    ring.GROUP,
    other_watchers.GROUP,
    memory.GROUP,
    imports.GROUP,
    lateness.GROUP,
)


def find(name: str) -> Workload:
    """The workload called `name`."""
    return next(work for group in GROUPS for work in group.workloads if work.name == name)
