"""What the outcomes of a suite's tests on two loops come to; nothing here runs anything."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# So many times a difference has to be seen for it not to be chance.
TIMES = 3

Outcomes = Mapping[str, str]


def worst(outcomes: Iterable[str]) -> str:
    """The outcome of a test that has several: of its set-up, its teardown, its parts."""
    return min(outcomes, key=(FAILED, SKIPPED, PASSED).index)


def matches(pattern: str, test: str) -> bool:
    """Whether a pattern, in which * is any text and all else stands for itself, is of a test."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(expression, test, re.DOTALL) is not None


def read_expectations(text: str) -> dict[str, dict[str, str]]:
    """The known faults: of each project, patterns of tests with the reasons why they fail."""
    projects = tomllib.loads(text)
    for project, reasons in projects.items():
        for pattern, reason in reasons.items():
            if not isinstance(reason, str) or not reason.strip():
                raise ValueError(f"{project}: {pattern!r} has no reason")
    return projects


@dataclass
class Comparison:
    """The outcomes of one suite on asyncio and on another loop, which settle run by run."""

    expected: Mapping[str, str]
    reference: Outcomes
    runs: list[Outcomes] = field(default_factory=list)
    # Of further runs on asyncio, which only the tests in doubt need.
    again: list[Outcomes] = field(default_factory=list)

    def is_expected(self, test: str) -> bool:
        return any(matches(pattern, test) for pattern in self.expected)

    def outcomes(self, test: str) -> list[str]:
        """A test that a whole run has not brought about has failed there."""
        first = self.runs[0].get(test, FAILED)
        return [first, *(run[test] for run in self.runs[1:] if test in run)]

    @property
    def comparable(self) -> list[str]:
        """The tests that pass on asyncio each time."""
        return [
            test
            for test, outcome in self.reference.items()
            if outcome == PASSED and all(run.get(test, PASSED) == PASSED for run in self.again)
        ]

    @property
    def failing(self) -> list[str]:
        """The tests that fail on the loop each time, and pass on asyncio each time."""
        return [test for test in self.comparable if set(self.outcomes(test)) == {FAILED}]

    @property
    def faults(self) -> list[str]:
        """The failures that nobody expects."""
        return [test for test in self.failing if not self.is_expected(test)]

    @property
    def known(self) -> list[str]:
        """The failures that are expected."""
        return [test for test in self.failing if self.is_expected(test)]

    @property
    def unexpected_passes(self) -> list[str]:
        """The tests that are expected to fail, and never do."""
        return [
            test
            for test in self.comparable
            if self.is_expected(test) and FAILED not in self.outcomes(test)
        ]

    @property
    def unsteady(self) -> list[str]:
        """The tests that fail on the loop some times, and pass on asyncio each time."""
        return [
            test
            for test in self.comparable
            if FAILED in self.outcomes(test) and len(set(self.outcomes(test))) > 1
        ]

    @property
    def skipped(self) -> list[str]:
        """The tests that skip themselves on the loop, and pass on asyncio."""
        return [test for test in self.comparable if set(self.outcomes(test)) == {SKIPPED}]

    @property
    def unmatched(self) -> list[str]:
        """The expectations that are of no test of the suite."""
        return [
            pattern
            for pattern in self.expected
            if not any(matches(pattern, test) for test in self.reference)
        ]

    @property
    def in_doubt(self) -> list[str]:
        """The tests of which another run would tell more."""
        if len(self.runs) >= TIMES:
            return []
        return self.faults + self.unexpected_passes

    @property
    def good(self) -> bool:
        return not (self.faults or self.unexpected_passes or self.unmatched)
