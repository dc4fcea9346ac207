"""Runs the load generator (load.c) against a server in this process."""

import os
import subprocess
from dataclasses import dataclass

from benchmarks import cores
from benchmarks.extensions import program
from benchmarks.outcomes import Failed, Unavailable
from benchmarks.peers.peer import Address

# What the generator's message begins with if it lacks something that the system might have.
_LACKS = "unavailable: "


@dataclass(frozen=True)
class Load:
    """What is asked of a server: over each connection one request at a time."""

    kind: str  # see load.c
    connections: int
    request: bytes = b""
    reply: bytes = b""

    def start(self, address: Address, budget_ns: int, windows: int) -> "Generator":
        """Start to connect to the server, and to send requests."""
        return Generator(self, address, budget_ns, windows)


class Generator:
    """A process that sends requests to this one, and measures this one's CPU time."""

    def __init__(self, load: Load, address: Address, budget_ns: int, windows: int) -> None:
        # To wake another core takes so long that a single connection would measure only that.
        core = cores.OTHER if load.connections > 1 else cores.MEASURED
        alone = int(core != cores.MEASURED)
        numbers = (core, alone, os.getpid(), budget_ns, windows, load.connections)
        sizes = (len(load.request), len(load.reply))
        place = (address,) if isinstance(address, str) else address
        command = [_program(), load.kind, *map(str, (*numbers, *sizes, *place))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._input.write(load.request + load.reply)
        self._input.flush()

    def fileno(self) -> int:
        """What is readable when the measurement, or the connecting of idle ones, is done."""
        return self._output.fileno()

    def result(self) -> str:
        """The line that the generator prints when it is done."""
        line = self._output.readline().decode().strip()
        if line.startswith(_LACKS):
            raise Unavailable(line.removeprefix(_LACKS))
        return line

    def figures(self) -> tuple[float, float, float]:
        """CPU time of this process in ns for each request, and how long one took in the end.

        That is by the wall clock, in ns: the median and the 99th percentile.
        """
        line = self.result()
        try:
            cpu, median, slow = map(float, line.split())
        except ValueError:
            raise Failed(line or "the load generator died") from None
        return cpu, median, slow

    def close(self) -> None:
        """End the process, and with it all its connections."""
        self._input.close()
        self._output.close()
        self._process.kill()
        self._process.wait()


def _program() -> str:
    """The path of the generator."""
    try:
        return str(program("load"))
    except ImportError as error:
        raise Unavailable(str(error)) from None
