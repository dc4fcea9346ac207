"""The table of all suites, for the terminal and for the documentation."""

from collections.abc import Iterable
from pathlib import Path

from .comparison import FAILED, PASSED
from .projects import PROJECTS
from .suite import Report

COLUMNS = ("project", "version", "tests", "asyncio", "uvloop", "everloop", "of its own")

BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"


def markdown(rows: Iterable[tuple[str, ...]]) -> str:
    """A row a suite: how many tests ran, and how many failed on each loop."""
    lines = [COLUMNS, ("---", "---", *["---:"] * (len(COLUMNS) - 2)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


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
        str(sum(comparison.outcomes(test)[0] == FAILED for test in ran)),
        str(len(comparison.failing)),
    )


def write(rows: Iterable[tuple[str, ...]], document: Path) -> None:
    """Put rows into the table of a document, which keeps those of the other suites."""
    before, begin, rest = document.read_text().partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no place for the table")
    known = {row[0]: row for row in (*read(table), *rows)}
    kept = [known[project.name] for project in PROJECTS if project.name in known]
    document.write_text(before + begin + markdown(kept) + end + after)


def read(table: str) -> list[tuple[str, ...]]:
    """The rows of a table, without its heading."""
    lines = [tuple(line.strip("| ").split(" | ")) for line in table.splitlines()]
    return lines[2:]
