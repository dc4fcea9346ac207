"""Runs a project's suite on a loop, in as many processes as it takes."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from . import localhost, sources
from .comparison import FAILED, worst
from .projects import Project

PLUGIN = Path(__file__).with_name("plugin")

# A process that the watchdog has not ended for so long after the last sign of life is ended.
LOST_AFTER = 300

# A suite that has ended so many processes is not worth another.
MOST_PROCESSES = 12

SHOWN = 6000

# What would change the tests or the loop.
UNWANTED = ("LIBEV_FLAGS", "PYTEST_ADDOPTS", "PYTHONASYNCIODEBUG", "PYTHONPATH", "PYTHONWARNINGS")

# Pytest's statuses of a run that has come to its end; 5: no test was chosen.
ENDED = (0, 1, 2, 5)

# Pytest's status when an exception has left one of its own functions, or a plugin's.
INTERNAL_ERROR = 3


class Broken(Exception):
    """The run itself failed, and so tells nothing of the loop."""


class Processes:
    """The processes that run, for all to be ended when the run is broken off."""

    running: ClassVar[set[subprocess.Popen[bytes]]] = set()
    broken_off = False

    @classmethod
    def break_off(cls) -> None:
        cls.broken_off = True
        for process in list(cls.running):
            end_group(process)


@dataclass
class Results:
    """What became of the tests that a run began, and how many loops under test were made."""

    outcomes: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    loops: int = 0


@dataclass
class Place:
    """Where a suite runs: its environment's interpreter, the services' addresses."""

    interpreter: Path
    archive: Path | None
    services: Mapping[str, Any]


def run_suite(
    project: Project, place: Place, loop: str, files: Collection[str] | None = None
) -> Results:
    """Run the suite, or some files of it."""
    results = Results()
    with tempfile.TemporaryDirectory(prefix="ds-") as name:
        # Short, because of the sockets in it.
        temporary = Path(name)
        tree = prepare(project, place, temporary)
        order = {
            "loop": loop,
            "replaces": project.replaces,
            "left_out": list(project.left_out),
            "only": sorted(files) if files is not None else None,
            "lost_after": 2 * project.limit + 60,
        }
        for number in range(MOST_PROCESSES):
            order["done"] = list(results.outcomes)
            lines, printed, status = run_process(
                project, place, order, tree, temporary / str(number)
            )
            finished = gather(lines, printed, status, results)
            if finished:
                break
        else:
            raise Broken(
                f"{loop}: {MOST_PROCESSES} processes ended before the suite did: {printed}"
            )
    # Some files of a suite may be without.
    if not results.loops and files is None:
        raise Broken(f"{loop}: no loop under test was made: {printed}")
    return results


def prepare(project: Project, place: Place, temporary: Path) -> Path:
    """A fresh copy of the tests, without the package that is to be found in the environment."""
    if place.archive is None:
        (temporary / "tree").mkdir()
        return temporary / "tree"
    tree = sources.unpack(place.archive, temporary / "tree")
    for each in project.without:
        shutil.rmtree(tree / each)
    return tree


def run_process(
    project: Project, place: Place, order: dict[str, Any], tree: Path, directory: Path
) -> tuple[list[dict[str, Any]], str, int | None]:
    """Run pytest once; returns the plugin's lines, the last of what it printed, its status."""
    directory.mkdir()
    report, output = directory / "report", directory / "output"
    report.touch()
    (directory / "order").write_text(json.dumps(order | {"report": str(report)}))
    children = [PLUGIN / "children"] if project.children else []
    environment = {name: os.environ[name] for name in os.environ if name not in UNWANTED}
    environment |= {
        "DOWNSTREAM_ORDER": str(directory / "order"),
        "PYTHONPATH": os.pathsep.join(map(str, [PLUGIN, *children])),
        "TMPDIR": str(directory),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(directory / "hypothesis"),
    }
    environment |= {name: fill(value, place) for name, value in project.environment.items()}
    with output.open("wb") as file:
        if Processes.broken_off:
            raise Broken("broken off")
        process = subprocess.Popen(
            command(project, place),
            cwd=tree / project.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = end_of(process, report, output)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return lines, output.read_text(errors="replace")[-SHOWN:], status


def command(project: Project, place: Place) -> list[str]:
    options = [
        *("-p", "downstream_plugin", "-p", "no:cacheprovider"),
        *("-o", "addopts=", "-o", "faulthandler_timeout=0"),
        *("--timeout", str(project.limit), "--timeout-method=signal"),
        *("--continue-on-collection-errors", "--tb=short", "-q"),
    ]
    arguments = [fill(argument, place) for argument in project.arguments]
    return [*localhost.prefix(), str(place.interpreter), "-m", "pytest", *options, *arguments]


def fill(text: str, place: Place) -> str:
    """Put the services' addresses in."""
    return text.format_map(place.services)


def end_of(process: subprocess.Popen[bytes], *signs: Path) -> int | None:
    """The exit status; None for a process that had to be ended, since no file has grown."""
    Processes.running.add(process)
    try:
        while True:
            before = [path.stat().st_size for path in signs]
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOST_AFTER)
            if before == [path.stat().st_size for path in signs]:
                return None
    finally:
        end_group(process)
        process.wait()
        Processes.running.discard(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process with what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def gather(lines: list[dict[str, Any]], printed: str, status: int | None, results: Results) -> bool:
    """Add what a process told; returns whether the suite is through."""
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    running, finished = None, False
    for line in lines:
        if "began" in line:
            running = line["began"]
        elif "test" in line:
            outcomes[line["test"]].append(line["outcome"])
            if line["details"]:
                results.details.setdefault(line["test"], line["details"])
        elif "ended" in line:
            running = None
            results.loops += line["loops"]
            results.seconds[line["ended"]] = line["seconds"]
        elif "left_out" in line:
            results.left_out = line["left_out"]
        elif "finished" in line:
            if line["finished"] not in (*ENDED, INTERNAL_ERROR):
                raise Broken(f"pytest ended with status {line['finished']}: {printed}")
            finished = line["finished"] in ENDED
    if not (finished or running or outcomes):
        raise Broken(f"pytest ended with status {status}: {printed}")
    if running is not None:
        outcomes[running].append(FAILED)
        results.details[running] = f"{ending(status)}\n{printed}"
    results.outcomes |= {test: worst(each) for test, each in outcomes.items()}
    return finished


def ending(status: int | None) -> str:
    if status is None:
        return "the process did not end"
    if status < 0:
        return f"the process was killed by {signal.Signals(-status).name}"
    return f"the process ended with status {status}"


@contextlib.contextmanager
def services(names: Collection[str]) -> Iterator[dict[str, Any]]:
    """Start the services that a suite needs; yields them by their names."""
    # Only here, since other parts of this package do without what the applications' tests need.
    import pytest
    import trustme

    from tests.applications import servers

    certificate = trustme.CA().issue_cert("localhost", "127.0.0.1")
    starters = {
        "redis": servers.redis,
        "postgresql": functools.partial(servers.postgresql, certificate),
    }
    with contextlib.ExitStack() as stack:
        try:
            running = {name: stack.enter_context(starters[name]()) for name in names}
        except pytest.skip.Exception as error:
            raise sources.Unavailable(str(error)) from error
        yield running
