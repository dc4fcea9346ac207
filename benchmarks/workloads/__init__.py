"""The workloads, in the order in which they run."""

from collections.abc import Iterator
from importlib import import_module

from benchmarks.workload import Group, Workload

# One group each. Those that import much come last: the others are found without them.
_MODULES = (
    "dispatch",
    "registration",
    "timers",
    "wakeups",
    "ring",
    "other_watchers",
    "memory",
    "imports",
    "lateness",
    "asyncio_calls",
    "asyncio_sockets",
    "asyncio_memory",
    "asyncio_sleep",
)


def groups() -> Iterator[Group]:
    """All groups of workloads."""
    for module in _MODULES:
        yield import_module(f"benchmarks.workloads.{module}").GROUP


def find(name: str) -> Workload:
    """The workload called `name`."""
    return next(work for group in groups() for work in group.workloads if work.name == name)
