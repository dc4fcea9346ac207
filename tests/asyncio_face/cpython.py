"""CPython's own tests of asyncio, run on everloop: ``python -m tests.asyncio_face.cpython``.

Each suite runs in a process of its own, ``cpython_child.py``, which puts the loop under test
in asyncio's place. A test that hangs or crashes ends that process; the rest of the suite
then goes on in another. ``cpython_exclusions.txt`` names what does not run, and why.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import operator
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
CHILD = HERE / "cpython_child.py"
EXCLUSIONS = HERE / "cpython_exclusions.txt"

SUITES = (
    "test_base_events",
    "test_buffered_proto",
    "test_context",
    "test_eager_task_factory",
    "test_events",
    "test_free_threading",
    "test_futures",
    "test_futures2",
    "test_graph",
    "test_locks",
    "test_pep492",
    "test_protocols",
    "test_queues",
    "test_runners",
    "test_selector_events",
    "test_sendfile",
    "test_server",
    "test_server_context",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_staggered",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_threads",
    "test_timeouts",
    "test_transports",
    "test_unix_events",
    "test_waitfor",
)

# A test takes at most some seconds, but the machine may have other things to do.
HANGS_AFTER = 120.0

# The whole of a process, should even its watchdog fail.
LOST_AFTER = 1800.0

# A suite that has ended so many processes is not worth another.
MOST_PROCESSES = 12

# Of what a test printed and what its process printed last, so many characters are shown.
SHOWN = 6000

# What would change the tests or the loop.
UNWANTED = ("LIBEV_FLAGS", "PYTHONASYNCIODEBUG", "PYTHONWARNINGS", "PYTHONHASHSEED")


# Exclusions


class Exclusion(NamedTuple):
    """Tests that do not run: a line of cpython_exclusions.txt."""

    kind: str
    pattern: str
    condition: str | None
    reason: str

    def covers(self, test: str) -> bool:
        return fnmatchcase(test, self.pattern)


# private: about another loop's private parts, so there is nothing to be counted.
# behaviour: about what a loop does, and everloop does something else on purpose.
KINDS = ("private", "behaviour")
COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(r"([<>=!]=|[<>])([\d.]+)")
LINE = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})\s+(?P<pattern>test_\S+)"
    r"(?:\s+(?P<condition>[<>=!]\S+))?\s+(?P<reason>\w.*)"
)


def read_exclusions(text: str) -> list[Exclusion]:
    """Kind, pattern, condition if any, reason: one exclusion a line, # for comments."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    matches = [(line, LINE.fullmatch(line)) for line in lines]
    wrong = [line for line, match in matches if not match]
    if wrong:
        raise ValueError(f"not 'kind pattern [condition] reason': {wrong}")
    return [Exclusion(*match.group(*Exclusion._fields)) for _, match in matches if match]


def holds(condition: str | None, version: Sequence[int] = sys.version_info[:3]) -> bool:
    """Whether a condition such as '>=3.12,<3.12.4' is met; no condition always is."""
    for part in condition.split(",") if condition else ():
        match = CONDITION.fullmatch(part)
        if not match:
            raise ValueError(f"not a condition such as '>=3.12': {part!r}")
        wanted = tuple(map(int, match[2].split(".")))
        if not COMPARISONS[match[1]](tuple(version[: len(wanted)]), wanted):
            return False
    return True


def exclusions() -> list[Exclusion]:
    """The exclusions that are for this version of Python."""
    return [each for each in read_exclusions(EXCLUSIONS.read_text()) if holds(each.condition)]


def excluded(tests: Iterable[str]) -> dict[str, Exclusion]:
    """The tests that do not run, each with the first exclusion that covers it."""
    found = {}
    for test in tests:
        for exclusion in exclusions():
            if exclusion.covers(test):
                found[test] = exclusion
                break
    return found


# Processes


@dataclass
class Process:
    """What a process told: the lines of its report, what it printed, how it ended."""

    lines: list[dict[str, Any]]
    printed: bytes
    status: int | None

    @property
    def finished(self) -> bool:
        return any("finished" in line for line in self.lines)

    def part(self, begin: int, end: int | None) -> str:
        """What it printed between two moments; of much, the last."""
        return self.printed[begin:end].decode(errors="replace").strip()[-SHOWN:]

    def ending(self) -> str:
        if self.status is None:
            return "the process did not end"
        if self.status < 0:
            return f"the process was killed by {signal.Signals(-self.status).name}"
        hung = self.status == 1 and b"Timeout (" in self.printed
        return "hung" if hung else f"the process ended with status {self.status}"


def run_child(order: dict[str, Any], *, debug: bool = False) -> Process:
    """Run cpython_child.py, and end whatever it leaves behind."""
    path = [os.path.abspath(entry) for entry in sys.path]
    environment = {name: os.environ[name] for name in os.environ if name not in UNWANTED}
    environment |= {"PYTHONASYNCIODEBUG": "1"} if debug else {}
    with (
        tempfile.TemporaryDirectory() as directory,
        tempfile.NamedTemporaryFile() as report,
        tempfile.TemporaryFile() as output,
    ):
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                CHILD,
                json.dumps(order | {"path": path, "report": report.name}),
            ],
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = end_of(process)
        output.seek(0)
        lines = [json.loads(line) for line in report.read().splitlines()]
        return Process(lines, output.read(), status)


def end_of(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status; None for a process that had to be ended."""
    try:
        return process.wait(LOST_AFTER)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what the tests have started, too
        process.wait()


# Results

# So many tests made a loop under test and were not skipped, by version of Python. Fewer
# would mean that the tests make their loops in a way that the child no longer sees to.
LEAST_ON_THE_LOOP = {
    (3, 11): 1782,
    (3, 12): 1886,
    (3, 13): 1974,
    (3, 14): 2270,
    (3, 15): 2344,
}


class Result(NamedTuple):
    """What a test came to, and how many loops under test it made."""

    test: str
    outcome: str
    details: str = ""
    loops: int = 0
    seconds: float = 0.0


@dataclass
class Suite:
    """What a suite came to."""

    name: str
    tests: list[str]
    excluded: dict[str, Exclusion] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    # Tests that fail with asyncio's own loop too, on this machine.
    elsewhere: set[str] = field(default_factory=set)

    def of(self, outcome: str) -> list[Result]:
        return [result for result in self.results if result.outcome == outcome]

    @property
    def failed(self) -> list[Result]:
        """The failures that are the loop's."""
        return [result for result in self.of("failed") if result.test not in self.elsewhere]

    @property
    def on_the_loop(self) -> int:
        """How many tests said something about the loop."""
        return sum(each.loops > 0 for each in self.results if each.outcome != "skipped")

    def count_excluded(self, kind: str) -> int:
        return sum(exclusion.kind == kind for exclusion in self.excluded.values())

    def complaint(self) -> str:
        """Each failure with its traceback."""
        names = "".join(f"  {result.test}\n" for result in self.failed)
        texts = [f"===== {result.test}\n{result.details}" for result in self.failed]
        return f"{len(self.failed)} of {self.name} failed:\n{names}" + "\n".join(texts)


def results_of(process: Process) -> list[Result]:
    """The tests that have ended, then the one that was running when the process ended."""
    results, running = [], None
    for line in process.lines:
        if "began" in line:
            running = line
        elif "test" in line:
            results.append(ended(process, running["output"], line))
            running = None
    if running is not None:
        details = f"{process.ending()}\n{process.part(running['output'], None)}"
        results.append(Result(running["began"], "failed", details))
    elif not process.finished or process.status != 0:
        where = "end of the process" if process.finished else "between tests"
        details = f"{process.ending()}\n{process.part(0, None)}"
        results.append(Result(f"({where})", "failed", details))
    return results


def ended(process: Process, begin: int, line: dict[str, Any]) -> Result:
    details = line["details"]
    printed = process.part(begin, line["output"])
    if line["outcome"] == "failed" and printed:
        details += f"\n----- printed:\n{printed}"
    return Result(line["test"], line["outcome"], details, line["loops"], line["seconds"])


@dataclass
class Options:
    """How tests are run."""

    limit: float = HANGS_AFTER
    debug: bool = False
    collect: bool = False


DEFAULT = Options()


def run_tests(
    suite: str, tests: Sequence[str], loop: str, options: Options = DEFAULT
) -> list[Result]:
    """Run tests of a suite, in as many processes as it takes."""
    order = {"action": "run", "suite": suite, "loop": loop}
    order |= {"limit": options.limit, "collect": options.collect}
    results: list[Result] = []
    left = list(tests)
    for _ in range(MOST_PROCESSES):
        process = run_child(order | {"tests": left}, debug=options.debug)
        results += results_of(process)
        known = {result.test for result in results}
        before, left = left, [test for test in left if test not in known]
        if not left or process.finished or len(left) == len(before):
            break
    # Those of a class that was skipped as a whole, or whose process never got so far.
    return results + [Result(test, "skipped", "was not run") for test in left]


@functools.cache
def listing(loop: str) -> dict[str, list[str]]:
    """The tests of each suite that this Python has."""
    process = run_child({"action": "list", "suites": SUITES, "loop": loop})
    if not process.finished:
        raise RuntimeError(f"{process.ending()}\n{process.part(0, None)}")
    return {line["suite"]: line["tests"] for line in process.lines if "suite" in line}


def has_tests() -> bool:
    """Whether this Python came with its tests, which some distributions leave out."""
    try:
        return importlib.util.find_spec("test.test_asyncio") is not None
    except ModuleNotFoundError:
        return False


def run_suite(suite: str, loop: str, options: Options = DEFAULT) -> Suite:
    """Run a suite but for its exclusions."""
    tests = listing(loop)[suite]
    report = Suite(suite, tests, excluded(tests))
    wanted = [test for test in tests if test not in report.excluded]
    return judge(report, wanted, loop, options)


def judge(report: Suite, wanted: list[str], loop: str, options: Options = DEFAULT) -> Suite:
    """Run tests; those that fail must pass with asyncio's own loop for that to be a fault."""
    if not wanted:
        return report
    report.results = run_tests(report.name, wanted, loop, options)
    if report.of("failed") and loop != "asyncio":
        # All of them: some tests pass only after others.
        others = run_tests(report.name, wanted, "asyncio", options)
        same = {result.test for result in others if result.outcome == "failed"}
        report.elsewhere = same.intersection(wanted, (each.test for each in report.of("failed")))
    return report


# The command line

NO_TESTS = "this Python came without its own tests, the package test.test_asyncio"

COLUMNS = (
    "suite",
    "tests",
    "ran",
    "passed",
    "on the loop",
    "failed",
    "asyncio too",
    "skipped",
    "private",
    "behaviour",
    "seconds",
)


def counts(report: Suite) -> list[int]:
    return [
        len(report.tests),
        len(report.results) - len(report.of("skipped")),
        len(report.of("passed")),
        report.on_the_loop,
        len(report.failed),
        len(report.of("failed")) - len(report.failed),
        len(report.of("skipped")),
        report.count_excluded("private"),
        report.count_excluded("behaviour"),
        round(sum(result.seconds for result in report.results)),
    ]


def row(name: str, cells: Iterable[object]) -> str:
    return f"| {name:<24} |" + "".join(
        f" {cell:>{len(column)}} |" for cell, column in zip(cells, COLUMNS[1:], strict=True)
    )


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.asyncio_face.cpython")
    parser.description = "CPython's own tests of asyncio, run on another event loop."
    parser.add_argument("suites", nargs="*", metavar="suite", help=", ".join(SUITES))
    parser.add_argument("--loop", default="everloop", help="everloop, asyncio, uvloop or mod:name")
    parser.add_argument("--only", default="*", help="only tests of which this is part; * is any")
    parser.add_argument("--limit", type=float, default=HANGS_AFTER, help="seconds for one test")
    parser.add_argument("--debug", action="store_true", help="in asyncio's debug mode")
    parser.add_argument("--collect", action="store_true", help="collect garbage after each test")
    parser.add_argument("--verbose", action="store_true", help="name each test and its result")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="run what is excluded, too")
    which.add_argument("--excluded", action="store_true", help="run only what is excluded")
    return parser


def choose(arguments: argparse.Namespace, suite: str) -> Suite:
    """Run what the command line asks for."""
    tests = [test for test in listing(arguments.loop)[suite] if matches(test, arguments.only)]
    exceptions = {} if arguments.all else excluded(tests)
    wanted = [test for test in tests if (test in exceptions) == arguments.excluded]
    report = Suite(suite, tests, {} if arguments.excluded else exceptions)
    options = Options(arguments.limit, arguments.debug, arguments.collect)
    return judge(report, wanted, arguments.loop, options)


def matches(test: str, part: str) -> bool:
    return fnmatchcase(test, f"*{part}*")


def show(report: Suite, *, verbose: bool) -> None:
    print(row(report.name, counts(report)), flush=True)
    for result in report.results if verbose else ():
        reason = f": {result.details}" if result.outcome == "skipped" else ""
        print(f"{result.outcome:8} {result.loops:3} {result.seconds:7.3f} {result.test}{reason}")


def wanted_suites(arguments: argparse.Namespace) -> list[str]:
    """The suites that were asked for, of those that this Python has."""
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(SUITES)}")
    if not has_tests():
        sys.exit(NO_TESTS)
    return [name for name in arguments.suites or SUITES if name in listing(arguments.loop)]


def main() -> int:
    """Run suites, print a table and the failures; exit status 1 if there are any."""
    arguments = parser().parse_args()
    suites = wanted_suites(arguments)
    print(f"Python {sys.version.split()[0]}, {arguments.loop}")
    print(row(COLUMNS[0], COLUMNS[1:]))
    print(row("---", ["---:"] * (len(COLUMNS) - 1)))
    reports = []
    for suite in suites:
        reports.append(choose(arguments, suite))
        show(reports[-1], verbose=arguments.verbose)
    if reports:
        print(row("total", map(sum, zip(*map(counts, reports), strict=True))))
    for report in reports:
        if report.failed:
            print(f"\n{report.complaint()}")
        for test in sorted(report.elsewhere):
            print(f"fails with asyncio too: {test}")
    return any(report.failed for report in reports)


if __name__ == "__main__":
    sys.exit(main())
