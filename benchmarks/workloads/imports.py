"""Import time: CPU time of an interpreter that imports the module, less that of a bare one."""

import os
import sys

from benchmarks.extensions import BUILD
from benchmarks.outcomes import Unavailable
from benchmarks.peers.peer import Peer
from benchmarks.workload import Group, Row, Scale, Target, single


def _import_us(peer_class: type[Peer], scale: Scale) -> float:
    """Microseconds to import the peer's module."""
    module = peer_class.module_name
    if module is None:
        raise Unavailable("no module of its own")
    bare, importing = [], []
    for _ in range(5 * scale.repeats + 1):
        bare.append(_cpu_us("pass"))
        importing.append(_cpu_us(f"import {module}"))
    return min(importing) - min(bare)


def _cpu_us(code: str) -> float:
    """CPU time of an interpreter that runs `code`."""
    paths = [str(BUILD), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise ImportError(f"{code} failed")
    return (usage.ru_utime + usage.ru_stime) * 1e6


GROUP = Group(
    "import",
    "Import",
    (single(Row("import", "import", "us", (Target(1.5, "libev"),)), _import_us),),
)
