"""One project's suite from its environment to the verdict on everloop."""

import dataclasses
import json
import time
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import environments, running, sources
from .comparison import FAILED, Comparison
from .projects import Project

UVLOOP = "uvloop"


@dataclass(frozen=True)
class Options:
    """How the suites are run."""

    cache: Path
    uvloop: bool = False
    afresh: bool = False
    files: Collection[str] | None = None


@dataclass
class Report:
    """What a suite came to."""

    project: Project
    comparison: Comparison | None = None
    uvloop: running.Results | None = None
    left_out: int = 0
    # Why there is no comparison: what is not to be had here, or what went wrong.
    unavailable: str = ""
    broken: str = ""
    details: dict[str, str] = field(default_factory=dict)
    loops: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.broken and (self.comparison is None or self.comparison.good)


def build(options: Options) -> Path:
    """The wheel of the everloop under test."""
    return environments.wheel(options.cache)


def judge(project: Project, expected: Mapping[str, str], wheel: Path, options: Options) -> Report:
    """Run a suite on asyncio, and on everloop until it is settled which failures are faults."""
    report = Report(project)
    began = time.monotonic()
    # Another run would make its environment anew.
    lock = environments.locked(options.cache / "locks" / project.name)
    try:
        with lock, running.services(project.services) as services:
            compare(report, expected, wheel, services, options)
    except sources.Unavailable as error:
        report.unavailable = str(error)
    except running.Broken as error:
        report.broken = str(error)
    except Exception:
        # The other suites go on.
        report.broken = traceback.format_exc()
    report.seconds = time.monotonic() - began
    return report


def compare(report: Report, expected, wheel: Path, services, options: Options) -> None:
    project = report.project
    archive = project.source and project.source.fetch(project.version, options.cache)
    interpreter = environments.python(project.name, project.requirements, options.cache)
    place = running.Place(interpreter, archive, services)
    reference = kept(project, place, "asyncio", options)
    report.left_out = len(reference.left_out)
    if options.uvloop:
        report.uvloop = on_uvloop(project, place, options)
    environments.install(interpreter, wheel)
    first = running.run_suite(project, place, "everloop", options.files)
    report.details, report.loops = first.details, first.loops
    if options.files:
        expected = {each: why for each, why in expected.items() if file(each) in options.files}
    report.comparison = Comparison(expected, reference.outcomes, [first.outcomes])
    settle(report.comparison, project, place)


def settle(comparison: Comparison, project: Project, place: running.Place) -> None:
    """Run the files of the tests in doubt again, as often as it takes."""
    while doubtful := comparison.in_doubt:
        files = set(map(file, doubtful))
        again = running.run_suite(project, place, "everloop", files)
        comparison.runs.append(again.outcomes)
        if len(comparison.again) == 0:
            comparison.again.append(running.run_suite(project, place, "asyncio", files).outcomes)


def on_uvloop(project: Project, place: running.Place, options: Options) -> running.Results:
    """The suite on uvloop, in an environment of its own: many use uvloop where they find it."""
    requirements = (*project.requirements, UVLOOP)
    interpreter = environments.python(f"{project.name}-{UVLOOP}", requirements, options.cache)
    return kept(project, dataclasses.replace(place, interpreter=interpreter), UVLOOP, options)


def kept(project: Project, place: running.Place, loop: str, options: Options) -> running.Results:
    """The results on a loop that does not change: those of an earlier run, if there are any."""
    plugin = (path.read_text() for path in sorted(running.PLUGIN.rglob("*.py")))
    key = environments.digest([repr(project), environments.CONSTRAINTS.read_text(), *plugin])
    name = f"{environments.python_tag()}-{project.name}-{loop}-{key}.json"
    path = options.cache / "results" / name
    if path.exists() and not options.afresh:
        results = running.Results(**json.loads(path.read_text()))
        return of_files(results, options.files) if options.files else results
    results = running.run_suite(project, place, loop, options.files)
    if not options.files:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(results)))
    return results


def of_files(results: running.Results, files: Collection[str]) -> running.Results:
    """The outcomes of the tests of some files."""
    outcomes = {test: outcome for test, outcome in results.outcomes.items() if file(test) in files}
    return dataclasses.replace(results, outcomes=outcomes)


def file(test: str) -> str:
    """The file of a test, or of a pattern of tests."""
    return test.partition("::")[0]


# What is printed


def describe(report: Report, details: Path) -> str:
    """The faults of a suite; their tracebacks go into a file."""
    title = f"== {report.project.name} {report.project.version}, {report.seconds:.0f} s"
    if report.unavailable:
        return f"{title}: left out: {report.unavailable}"
    if report.broken:
        return f"{title}: broken: {report.broken}"
    comparison = report.comparison
    failed = [test for test, outcome in comparison.reference.items() if outcome == FAILED]
    lines = [
        f"{title}: {len(comparison.faults)} faults, {len(comparison.known)} known, "
        f"{len(comparison.unexpected_passes)} unexpected passes; {report.loops} loops"
    ]
    lines += [f"fails on asyncio too: {test}" for test in failed]
    lines += [f"is skipped on everloop alone: {test}" for test in comparison.skipped]
    lines += [f"fails some times: {test}" for test in comparison.unsteady]
    lines += [f"expected to fail, but passes: {test}" for test in comparison.unexpected_passes]
    lines += [f"expected to fail, but is no test: {each}" for each in comparison.unmatched]
    lines += [f"FAULT: {test}: {last_line(report, test)}" for test in comparison.faults]
    if differing := comparison.failing + comparison.unsteady:
        texts = (f"===== {test}\n{report.details.get(test, '')}\n\n" for test in differing)
        details.write_text("".join(texts))
        lines.append(f"tracebacks: {details}")
    return "\n".join(lines)


def last_line(report: Report, test: str) -> str:
    """What a test's traceback comes to."""
    text = report.details.get(test, "it has not run").strip()
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (errors or text.splitlines())[-1][:200]
