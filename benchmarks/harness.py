"""Takes the samples: peers interleaved, a fresh process for each group, peer and round."""

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import interpreter
from benchmarks.timing import spin_ns
from benchmarks.workload import Group, Scale, Workload

ROOT = Path(__file__).parent.parent
_FIRST_SPINS = 40

# Kept from the measured processes: the one changes how some loops work, the other makes every
# process compile all modules anew.
_UNWANTED = ("LIBEV_FLAGS", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Sample:
    """One figure of one row, and whether the machine was slow when it was taken."""

    value: float
    slow: bool


@dataclass
class Series:
    """What one peer did at one row: a sample a round, or why there are none."""

    samples: dict[int, Sample] = field(default_factory=dict)
    reason: str | None = None

    def rounds(self) -> set[int]:
        """The rounds that count: those which were not slow, or all if most of them were."""
        fast = {number for number, sample in self.samples.items() if not sample.slow}
        return fast if 2 * len(fast) > len(self.samples) else set(self.samples)

    def values(self) -> list[float]:
        """The samples that count."""
        return [self.samples[number].value for number in sorted(self.rounds())]

    def median(self) -> float:
        """The median of the samples that count."""
        return statistics.median(self.values())

    def minimum(self) -> float:
        """The least of the samples that count."""
        return min(self.values())


Results = dict[str, dict[str, Series]]
"""By row and by peer."""


class Harness:
    """Runs workloads over peers and collects their samples."""

    def __init__(self, scale: Scale, peers: Sequence[str], say: Callable[[str], None]) -> None:
        self.scale = scale
        self.peers = peers
        self.say = say
        self.spins = [float(spin_ns()) for _ in range(_FIRST_SPINS)]
        self.results: Results = {}

    def run(self, group: Group, chosen: Sequence[Workload]) -> None:
        """Measure the `chosen` workloads of a group in every round."""
        peers = group.joined_by(self.peers)
        for workload in chosen:
            for row in workload.rows:
                self.results[row.name] = {peer: Series() for peer in peers}
        for number in range(self.scale.rounds):
            for workloads in _by_process(chosen):
                self.say(f"{group.name}, round {number + 1} of {self.scale.rounds}")
                for peer in peers:
                    self._measure(peer, workloads, number)

    def usual_spin(self) -> float:
        """What a calibration spin takes while the machine is as fast as it often is."""
        return statistics.quantiles(self.spins, n=4)[0]

    def _measure(self, peer: str, workloads: Sequence[Workload], number: int) -> None:
        """One sample of each workload; if the process dies of one, another does the rest."""
        left = [work for work in workloads if self._possible(peer, work)]
        while left:
            process = _Worker(peer, left, self.scale, self.usual_spin())
            for workload, line in zip(tuple(left), process.lines(), strict=False):
                self._take(peer, workload, line, number)
                left.remove(workload)
            if left:
                self._give_up(peer, left.pop(0), process.fate)

    def _possible(self, peer: str, workload: Workload) -> bool:
        """Whether the peer has not failed at the workload before."""
        return all(self.results[row.name][peer].reason is None for row in workload.rows)

    def _take(self, peer: str, workload: Workload, line: dict, number: int) -> None:
        """Keep what a process has reported about one workload."""
        if "figures" not in line:
            self._give_up(peer, workload, line.get("unavailable") or f"failed: {line['failed']}")
            return
        self.spins += line["spins"]
        for row in workload.rows:
            sample = Sample(line["figures"][row.name], line["slow"])
            self.results[row.name][peer].samples[number] = sample

    def _give_up(self, peer: str, workload: Workload, reason: str) -> None:
        """Note why the peer has no figures for the workload; what it had is void."""
        for row in workload.rows:
            self.results[row.name][peer] = Series(reason=reason)


class _Worker:
    """A measured process, see worker.py."""

    def __init__(
        self, peer: str, workloads: Iterable[Workload], scale: Scale, usual_spin: float
    ) -> None:
        self.command = [interpreter(peer), "-m", "benchmarks.worker", peer]
        self.command += [workload.name for workload in workloads]
        self.command += ["--scale", scale.name, "--spin", str(usual_spin)]
        self.timeout = scale.timeout
        self.fate = ""

    def lines(self) -> Iterator[dict]:
        """What the process reports; afterwards `fate` tells how it ended."""
        environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
        try:
            done = subprocess.run(
                self.command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                timeout=self.timeout,
            )
            output, self.fate = done.stdout, f"failed: ended with status {done.returncode}"
        except subprocess.TimeoutExpired as expired:
            output, self.fate = expired.stdout or b"", "failed: took too long"
        for line in output.splitlines():
            yield json.loads(line)


def _by_process(workloads: Iterable[Workload]) -> Iterator[list[Workload]]:
    """The workloads that may share a process together, then each isolated one alone."""
    shared = []
    for workload in workloads:
        if workload.isolated:
            yield [workload]
        else:
            shared.append(workload)
    if shared:
        yield shared
