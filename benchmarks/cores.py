"""Which core the measured process stays on, and which one is left for what drives it."""

import os

_CORES = os.sched_getaffinity(0)  # as it was at first, before this process was pinned

MEASURED = max(_CORES)
OTHER = min(_CORES)  # the same one if there is no other


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})
