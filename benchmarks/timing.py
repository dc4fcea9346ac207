"""CPU time, user and system, of this process."""

from collections.abc import Callable
from time import process_time_ns

from benchmarks.workload import Scale

_SPIN = 20_000
_WARM_UP = 100


def cpu_ns(operation: Callable[..., object], *arguments: object) -> int:
    """The CPU time that one call takes."""
    before = process_time_ns()
    operation(*arguments)
    return process_time_ns() - before


def per_operation(run: Callable[[int], int], scale: Scale) -> float:
    """CPU time per operation of `run(count)`, which does `count` and returns the time they took.

    A first run warms everything up, and does what the loop had put off until it runs. Then the
    count grows until a run lasts for the budget, and the fastest of a few runs counts.
    """
    run(_WARM_UP)
    count = _WARM_UP
    while (spent := run(count)) < scale.budget_ns // 3:
        count = int(count * min(10.0, max(2.0, 0.6 * scale.budget_ns / max(spent, 1))))
    count = max(1, int(count * scale.budget_ns / spent))
    return min(run(count) for _ in range(scale.repeats)) / count


def spin_ns() -> int:
    """CPU time of a fixed piece of work, which shows how fast the machine is right now."""
    return cpu_ns(_spin)


def _spin() -> None:
    table = dict.fromkeys(range(64), 0)
    for number in range(_SPIN):
        table[number & 63] += number
