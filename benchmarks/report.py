"""Shows the results: tables for people, JSON for programs."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import verdict
from benchmarks.harness import Results, Series
from benchmarks.peers import NAMES
from benchmarks.verdict import Ratio, Verdict
from benchmarks.workload import Group, Row, Scale, Workload

_TITLE_WIDTH = 42
_WIDTH = 9


def table(
    group: Group,
    chosen: Iterable[Workload],
    results: Results,
    peers: Sequence[str],
    subject: str,
    scale: Scale,
) -> str:
    """The medians of a group, and how the subject compares with the best peer."""
    peers = group.joined_by(peers)
    width = max(_WIDTH, *(len(peer) + 1 for peer in peers))
    head = f"{group.title:{_TITLE_WIDTH}}" + "".join(f"{peer:>{width}}" for peer in peers)
    lines = [head + "  ratio (minima, paired) and target", "-" * (len(head) + 46)]
    for row in (row for workload in chosen for row in workload.rows):
        series = results[row.name]
        title = f"{_title(row, scale)}, {row.unit}"
        cells = "".join(f"{_cell(series[peer]):>{width}}" for peer in peers)
        notes = _notes(row, series, subject)
        lines.append(f"{title:{_TITLE_WIDTH}}{cells}  {notes[0]}".rstrip())
        lines += [" " * len(head) + f"  {note}" for note in notes[1:]]
    return "\n".join(lines + _reasons(chosen, results))


def summary(groups: Iterable[Group], results: Results, subject: str) -> str:
    """How many targets are met, and which are not."""
    judged = [
        (row, one)
        for row in _rows(groups)
        if row.name in results
        for one in verdict.judge(row, results[row.name], subject)
    ]
    failed = [(row, one) for row, one in judged if one.outcome != "met"]
    lines = [f"{subject}: {len(judged) - len(failed)} of {len(judged)} targets met"]
    lines += [f"  {row.name}: {_target_note(one)}" for row, one in failed]
    return "\n".join(lines)


def write_json(
    path: Path,
    groups: Iterable[Group],
    results: Results,
    subject: str,
    scale: Scale,
    absent: dict[str, str],
) -> None:
    """Everything that was measured, with all samples."""
    content = {
        "scale": scale.name,
        "rounds": scale.rounds,
        "machine": _machine(),
        "absent": absent,
        "subject": subject,
        "rows": [
            _row_data(row, results[row.name], subject, scale)
            for row in _rows(groups)
            if row.name in results
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def _rows(groups: Iterable[Group]) -> Iterable[Row]:
    return (row for group in groups for workload in group.workloads for row in workload.rows)


def _reasons(chosen: Iterable[Workload], results: Results) -> list[str]:
    """Which peers lack a figure, and why."""
    without: dict[tuple[str, str], list[str]] = {}
    for workload in chosen:
        for peer, series in results[workload.rows[0].name].items():
            if series.reason:
                without.setdefault((workload.name, series.reason), []).append(peer)
    return [
        f"  {workload} not available for {', '.join(names)}: {reason}"
        for (workload, reason), names in without.items()
    ]


def _title(row: Row, scale: Scale) -> str:
    return row.title.format(many=scale.many, idle=scale.idle)


def _cell(series: Series) -> str:
    """A median, with digits enough to compare; `!` marks one from slow spells."""
    if not series.samples:
        return "-" if not series.reason or not series.reason.startswith("failed") else "failed"
    value = series.median()
    mark = "" if any(not sample.slow for sample in series.samples.values()) else "!"
    return f"{value:,.1f}{mark}" if 0 < value < 100 else f"{value:,.0f}{mark}"


def _notes(row: Row, series: dict[str, Series], subject: str) -> list[str]:
    """How the subject compares, a line for each target; without a target, with the best peer."""
    notes = [_target_note(one) for one in verdict.judge(row, series, subject)]
    if not notes:
        best = verdict.best_peer(row, series, subject)
        found = verdict.ratio(series, subject, best) if best else None
        notes = [_ratio_note(found)] if found else [""]
    return notes


def _ratio_note(found: Ratio) -> str:
    return f"{found.of_minima:.2f} {found.paired:.2f} x {found.against}"


def _target_note(one: Verdict) -> str:
    """Such as `0.91 0.90 x libev, target 0.92: met`."""
    compared = f"{_ratio_note(one.ratio)}, " if one.ratio else ""
    return f"{compared}target {one.target.limit:g}: {one.outcome}"


def _row_data(row: Row, series: dict[str, Series], subject: str, scale: Scale) -> dict[str, Any]:
    """One row for the JSON."""
    return {
        "name": row.name,
        "title": _title(row, scale),
        "unit": row.unit,
        "peers": {peer: _series_data(one) for peer, one in series.items()},
        "targets": [
            {
                "limit": one.target.limit,
                "outcome": one.outcome,
                "against": one.ratio.against if one.ratio else None,
                "ratio_of_minima": one.ratio.of_minima if one.ratio else None,
                "median_of_paired_ratios": one.ratio.paired if one.ratio else None,
            }
            for one in verdict.judge(row, series, subject)
        ],
    }


def _series_data(series: Series) -> dict[str, Any]:
    """One peer at one row for the JSON."""
    if not series.samples:
        return {"reason": series.reason}
    return {
        "median": series.median(),
        "minimum": series.minimum(),
        "samples": [
            {"round": number, "value": sample.value, "slow": sample.slow}
            for number, sample in sorted(series.samples.items())
        ],
    }


def _machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": {name: found for name in NAMES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    """The version of the distribution called like the peer, if there is one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
