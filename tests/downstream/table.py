"""The table of all suites, for the terminal and for the documentation."""

import re
from collections.abc import Iterable
from pathlib import Path

from .comparison import FAILED, PASSED
from .suite import Report

COLUMNS = ("project", "version", "tests", "asyncio", "uvloop", "everloop", "of its own")

BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"


def markdown(reports: Iterable[Report]) -> str:
    """A row a suite: how many tests ran, and how many failed on each loop."""
    rows = [COLUMNS, ("---", "---", *["---:"] * 5), *map(cells, reports)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cells(report: Report) -> tuple[str, ...]:
    project, comparison = report.project, report.comparison
    if comparison is None:
        return (project.name, project.version, *["-"] * 5)
    ran = {test for test, outcome in comparison.reference.items() if outcome in (PASSED, FAILED)}

    def failures(outcomes) -> str:
        return str(sum(outcomes.get(test) == FAILED for test in ran))

    return (
        project.name,
        project.version,
        str(len(ran)),
        failures(comparison.reference),
        failures(report.uvloop.outcomes) if report.uvloop else "-",
        failures(comparison.runs[0]),
        str(len(comparison.failing)),
    )


def write(table: str, document: Path) -> None:
    """Put the table into a document, in the place of the one that it has."""
    text = document.read_text()
    parts = re.compile(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", re.DOTALL)
    new, count = parts.subn(lambda _: table, text)
    if count != 1:
        raise ValueError(f"{document} has no place for the table")
    document.write_text(new)
