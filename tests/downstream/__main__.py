"""The command line: ``python -m tests.downstream [project ...]``."""

import argparse
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import running, suite, table
from .comparison import read_expectations
from .projects import PROJECTS, Project

HERE = Path(__file__).parent
EXPECTATIONS = HERE / "expectations.toml"
DOCUMENT = HERE.parents[1] / "docs" / "downstream.md"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.downstream", description=__doc__)
    names = ", ".join(project.name for project in PROJECTS)
    parser.add_argument("projects", nargs="*", metavar="project", help=names)
    parser.add_argument("--quick", action="store_true", help="those that take little time")
    parser.add_argument("--uvloop", action="store_true", help="run the suites on uvloop, too")
    parser.add_argument("--afresh", action="store_true", help="run what is kept of asyncio again")
    parser.add_argument(
        "--files", nargs="+", help="only these files of the suites, as pytest names them"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many suites run at a time")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    return parser


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "everloop-downstream"


def chosen(arguments: argparse.Namespace) -> list[Project]:
    known = {project.name: project for project in PROJECTS}
    if unknown := set(arguments.projects) - known.keys():
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if arguments.projects:
        return [known[name] for name in arguments.projects]
    return [project for project in PROJECTS if project.quick or not arguments.quick]


def main() -> int:
    """Run the suites, print the faults and a table; exit status 1 if there is a fault."""
    arguments = parser().parse_args()
    if arguments.files and (arguments.write or len(arguments.projects) != 1):
        parser().error("--files is for a look at one project, not for the table")
    options = suite.Options(cache_directory(), arguments.uvloop, arguments.afresh, arguments.files)
    expectations = read_expectations(EXPECTATIONS.read_text())
    if unknown := expectations.keys() - {project.name for project in PROJECTS}:
        sys.exit(f"{EXPECTATIONS.name} names unknown projects: {', '.join(sorted(unknown))}")
    wheel = suite.build(options)

    def judge(project: Project) -> suite.Report:
        report = suite.judge(project, expectations.get(project.name, {}), wheel, options)
        details = options.cache / f"{project.name}-failures.txt"
        print(suite.describe(report, details), flush=True)
        return report

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            reports = list(pool.map(judge, chosen(arguments)))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            running.Processes.break_off()
            raise
    print(table.markdown(map(table.cells, reports)))
    if arguments.write:
        table.write([table.cells(report) for report in reports if report.comparison], DOCUMENT)
    good = sum(report.good for report in reports)
    print(f"{good} passed, {len(reports) - good} failed")
    return 0 if good == len(reports) else 1


if __name__ == "__main__":
    sys.exit(main())
