"""Judges the figures: ratios to the peers, and whether a target is met."""

import statistics
from dataclasses import dataclass

from benchmarks.harness import Series
from benchmarks.peers import FLOOR
from benchmarks.workload import BEST, Row, Target


@dataclass(frozen=True)
class Ratio:
    """A peer's figure over another's, in the two ways that have to agree."""

    against: str
    of_minima: float
    paired: float  # the median of the ratios within a round

    @property
    def worse(self) -> float:
        """The one that is less in the peer's favour."""
        return max(self.of_minima, self.paired)

    @property
    def better(self) -> float:
        """The one that is more in the peer's favour."""
        return min(self.of_minima, self.paired)


@dataclass(frozen=True)
class Verdict:
    """What came out for one target: `met`, `missed`, or `unclear` if the two ratios disagree."""

    target: Target
    outcome: str
    ratio: Ratio | None  # None for a plain limit


def best_peer(row: Row, series: dict[str, Series], subject: str) -> str | None:
    """The rival with the least median; the floor is none."""
    excluded = {subject, FLOOR, *row.incomparable}
    rivals = {
        name: one.median() for name, one in series.items() if one.samples and name not in excluded
    }
    return min(rivals, key=rivals.__getitem__, default=None)


def ratio(series: dict[str, Series], subject: str, against: str) -> Ratio | None:
    """The subject's figure over the other's, or None where either has none or the other's is 0."""
    ours, theirs = series.get(subject), series.get(against)
    if not ours or not theirs or not ours.samples or not theirs.samples or theirs.minimum() <= 0:
        return None
    rounds = ours.rounds() & theirs.rounds() or ours.samples.keys() & theirs.samples.keys()
    pairs = [ours.samples[number].value / theirs.samples[number].value for number in rounds]
    return Ratio(against, ours.minimum() / theirs.minimum(), statistics.median(pairs))


def judge(row: Row, series: dict[str, Series], subject: str) -> list[Verdict]:
    """The verdict for each of the row's targets that can be judged."""
    if subject not in series or not series[subject].samples:
        return []
    verdicts = (_judge_one(row, target, series, subject) for target in row.targets)
    return [verdict for verdict in verdicts if verdict]


def _judge_one(row: Row, target: Target, series: dict[str, Series], subject: str) -> Verdict | None:
    """The verdict for one target, or None if what it is held against has no figure."""
    if target.against is None:
        ours = series[subject]
        reached = max(ours.values()) if target.worst else ours.median()
        return Verdict(target, "met" if reached <= target.limit else "missed", None)
    against = best_peer(row, series, subject) if target.against == BEST else target.against
    found = ratio(series, subject, against) if against else None
    if found is None:
        return None
    if found.worse <= target.limit:
        return Verdict(target, "met", found)
    return Verdict(target, "unclear" if found.better <= target.limit else "missed", found)
