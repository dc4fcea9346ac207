"""Draws what was measured last: an SVG file for each group of workloads, ``make charts``."""

import datetime
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.workloads import groups

_RESULTS = Path(__file__).parent / "results.json"
_CHARTS = Path(__file__).parents[1] / "docs" / "charts"
_HEIGHT_OF_A_ROW = 0.55  # inches
_EDGES = 2.0


def main() -> None:
    if not _RESULTS.exists():
        sys.exit(f"{_RESULTS} is missing: 'make bench' makes it")
    results = json.loads(_RESULTS.read_text())
    measured = datetime.date.fromtimestamp(_RESULTS.stat().st_mtime).isoformat()
    _CHARTS.mkdir(parents=True, exist_ok=True)
    found = {row["name"]: row for row in results["rows"]}
    for group in groups():
        names = [row.name for work in group.workloads for row in work.rows]
        if rows := [found[name] for name in names if name in found]:
            path = _CHARTS / f"{group.name}.svg"
            _draw(rows, results, measured, path)
            print(path)


def _draw(rows: list[dict[str, Any]], results: dict[str, Any], measured: str, path: Path) -> None:
    """A bar for each peer and row. Less was better, so a longer bar is."""
    from matplotlib import pyplot

    subject = results["subject"]
    rows = [row for row in rows if _median(row, subject)]
    names = sorted({name for row in rows for name in row["peers"]}, key=lambda n: (n != subject, n))
    height = _HEIGHT_OF_A_ROW * len(rows) + _EDGES
    figure, axes = pyplot.subplots(figsize=(9, height), layout="constrained")
    thickness = 0.8 / len(names)
    for number, name in enumerate(names):
        compared = [_compared(row, name, subject) for row in rows]
        places = [place + number * thickness for place in range(len(rows))]
        axes.barh(places, compared, thickness, label=name)
    middle = 0.4 - thickness / 2
    axes.set_yticks([place + middle for place in range(len(rows))], [row["title"] for row in rows])
    axes.invert_yaxis()
    axes.axvline(1.0, linewidth=0.8, color="black")
    axes.set_xlabel(f"how fast or small, {subject} being 1 (medians; longer is better)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_title(f"{_said(results['machine'])}\n{measured}, scale {results['scale']}", fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _compared(row: dict[str, Any], name: str, subject: str) -> float:
    mine, other = _median(row, subject), _median(row, name)
    if not mine or not other:
        return 0.0
    return mine / other


def _median(row: dict[str, Any], name: str) -> float | None:
    return row["peers"].get(name, {}).get("median")


def _said(machine: dict[str, Any]) -> str:
    """What is known of the machine, and the versions, in lines that fit."""
    words = [f"{name} {value}" for name, value in machine.items() if not isinstance(value, dict)]
    for each in machine.values():
        if isinstance(each, dict):
            words += [f"{name} {value}" for name, value in each.items()]
    return "\n".join(", ".join(words[first : first + 5]) for first in range(0, len(words), 5))


if __name__ == "__main__":
    main()
