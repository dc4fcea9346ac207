"""What a workload is: how it measures a peer, and what its figures are called and held against."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.descriptors import affordable
from benchmarks.peers.peer import Peer

BEST = "the best peer"

# The interfaces of event loops that are compared.
WATCHERS = "watchers"
ASYNCIO = "asyncio"


@dataclass(frozen=True)
class Scale:
    """How much work the workloads do."""

    name: str
    rounds: int
    retakes: int  # of a sample that fell into a slow spell
    budget_ns: int  # CPU time of one run of a repeatable piece of work
    repeats: int  # runs of which the fastest counts
    many: int  # active timers
    idle: int  # descriptors that nothing happens on
    watchers: int  # Io watchers whose memory is measured
    timeout: float  # seconds that one process may take


def full() -> Scale:
    """The scale of figures to be quoted."""
    return Scale(
        name="full",
        rounds=5,
        retakes=3,
        budget_ns=60_000_000,
        repeats=3,
        many=1_000_000,
        idle=affordable(15_000),
        watchers=affordable(10_000),
        timeout=300.0,
    )


def quick() -> Scale:
    """The scale of a look in passing; a fifth of the timers."""
    return Scale(
        name="quick",
        rounds=3,
        retakes=1,
        budget_ns=10_000_000,
        repeats=2,
        many=200_000,
        idle=affordable(15_000),
        watchers=affordable(10_000),
        timeout=40.0,
    )


SCALES = {"full": full, "quick": quick}


@dataclass(frozen=True)
class Target:
    """What a figure has to reach: a ratio `against` a peer, or without one a plain limit."""

    limit: float
    against: str | None = BEST
    worst: bool = False  # a plain limit that each sample has to keep, not only their median


@dataclass(frozen=True)
class Row:
    """One figure of a workload; less is better."""

    name: str
    title: str  # may name fields of the scale
    unit: str
    targets: tuple[Target, ...] = ()
    incomparable: tuple[str, ...] = ()  # peers that are shown, but are no rivals here


@dataclass(frozen=True)
class Workload:
    """One measurement of a peer, made in one go, that yields a figure for each of its rows."""

    name: str
    measure: Callable[[type[Peer], Scale], dict[str, float]]
    rows: tuple[Row, ...]
    isolated: bool = False  # it would disturb, or be disturbed by, others in its process
    retaken: bool = True  # after a slow spell


@dataclass(frozen=True)
class Group:
    """Workloads that are shown in one table and share a process for each peer and round."""

    name: str
    title: str
    workloads: tuple[Workload, ...]
    interface: str = WATCHERS  # which of the loop's is measured
    peers: tuple[str, ...] | None = None  # those that have it; None: all

    def joined_by(self, peers: Iterable[str]) -> list[str]:
        """Those of `peers` that take part."""
        return [peer for peer in peers if self.peers is None or peer in self.peers]


def single(
    row: Row,
    measure: Callable[[type[Peer], Scale], float],
    *,
    isolated: bool = False,
    retaken: bool = True,
) -> Workload:
    """A workload with one figure, called like it."""

    def measure_row(peer: type[Peer], scale: Scale) -> dict[str, float]:
        return {row.name: measure(peer, scale)}

    return Workload(row.name, measure_row, (row,), isolated, retaken)
