"""The command line: `python -m benchmarks`."""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import peers, report, self_check
from benchmarks.harness import Harness
from benchmarks.workload import ASYNCIO, WATCHERS, Group, Scale, Workload, full, quick
from benchmarks.workloads import groups

_OUTPUT = Path(__file__).parent / "results.json"
_ONLY = f"{WATCHERS}, {ASYNCIO}, or a group, workload or row"


def main() -> int:
    """Measure, print the tables, write the JSON; a missed target is no failure."""
    arguments = _parser().parse_args()
    if arguments.list:
        print(_listing())
        return 0
    scale = quick() if arguments.quick else full()
    if arguments.rounds:
        scale = replace(scale, rounds=arguments.rounds)
    if arguments.self_check:
        return self_check.run(scale, _say)
    _measure(scale, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller loops, below 3 minutes")
    parser.add_argument("--only", action="append", metavar="NAME", help=_ONLY)
    parser.add_argument("--peers", help="which peers to compare with, as a,b,c")
    parser.add_argument("--rounds", type=_positive, help="how often to measure each peer")
    parser.add_argument("--subject", default=peers.SUBJECT, help="which loop is judged")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="where the JSON goes")
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--self-check", action="store_true", help="measure a peer against itself")
    return parser


def _positive(text: str) -> int:
    """An argument that is at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _measure(scale: Scale, arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    wanted = _wanted_peers(arguments.peers, arguments.subject)
    absent = {name: reason for name in wanted if (reason := peers.missing(name))}
    present = [name for name in wanted if name not in absent]
    for name, reason in absent.items():
        print(f"{name} is not available and is skipped: {reason}")
    harness = Harness(scale, present, _say)
    print(f"scale: {scale.name}, {scale.rounds} rounds, medians\n")
    for group, chosen in _chosen(arguments.only):
        harness.run(group, chosen)
        _say("")
        shown = report.table(group, chosen, harness.results, present, arguments.subject, scale)
        print(shown, end="\n\n", flush=True)
    if arguments.subject in present:
        print(report.summary(groups(), harness.results, arguments.subject))
    report.write_json(arguments.output, groups(), harness.results, arguments.subject, scale, absent)
    print(f"{time.monotonic() - started:.0f} s; all samples are in {arguments.output}")


def _wanted_peers(text: str | None, subject: str) -> list[str]:
    """The subject, and the peers asked for or all."""
    own = (peers.SUBJECT, peers.BEFORE)
    asked = text.split(",") if text else [name for name in peers.NAMES if name not in own]
    unknown = {*asked, subject} - {*peers.NAMES}
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}")
    return [subject, *(name for name in asked if name != subject)]


def _chosen(only: list[str] | None) -> Iterator[tuple[Group, list[Workload]]]:
    """Each group with those of its workloads that are asked for."""
    known = {name for group in groups() for work in group.workloads for name in _names(group, work)}
    unknown = {*(only or ())} - known
    if unknown:
        raise SystemExit(f"no such workload: {', '.join(sorted(unknown))}")
    for group in groups():
        chosen = [
            work for work in group.workloads if not only or not _names(group, work).isdisjoint(only)
        ]
        if chosen:
            yield group, chosen


def _names(group: Group, workload: Workload) -> set[str]:
    """What `--only` may call a workload."""
    return {group.interface, group.name, workload.name, *(row.name for row in workload.rows)}


def _listing() -> str:
    """All peers, groups and workloads."""
    lines = [f"peers: {', '.join(peers.NAMES)}"]
    for group in groups():
        names = ", ".join(work.name for work in group.workloads)
        lines.append(f"{group.name} ({group.interface}): {names}")
    return "\n".join(lines)


def _say(text: str) -> None:
    """Progress, for those who watch."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
