"""Tests of CPython's test.test_asyncio on another event loop: a program of its own.

``cpython.py`` runs it as ``python cpython_child.py ORDER``. ORDER is a JSON object:

- ``action``: ``list`` (say which tests the suites have) or ``run`` (some tests of one suite);
- ``suites``, or ``suite`` and ``tests``: their names, without ``test.test_asyncio.``;
- ``loop``: ``everloop``, ``asyncio``, ``uvloop``, or ``module:callable``;
- ``path``: where to find modules besides the interpreter's own;
- ``report``: the file that gets the results, one JSON object a line;
- ``limit``: the seconds after which a test hangs, and everything ends with a traceback;
- ``collect``: collect garbage after each test, so that what it leaves behind shows in it.

Nothing but the loop may come from outside the standard library: what the tests patch is
this process, and a test may end it at any time. So each line is written at once, and a
line says that a test has begun before it can do harm.
"""

import asyncio
import asyncio.unix_events
import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import sys
import threading
import time
import types
import unittest
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

PACKAGE = "test.test_asyncio"


class Report:
    """The file of results; it lasts when the process does not."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, **line: Any) -> None:
        os.write(self.fd, json.dumps(line).encode() + b"\n")


# The loop under test


class Loops(NamedTuple):
    """The class of a loop, and what makes one; it takes the selector that a suite asks for."""

    type: type
    new: Callable[..., asyncio.AbstractEventLoop]


class StandIn:
    """What asyncio's own loop has under a name at the moment: tests put a mock there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.real = getattr(asyncio.base_events, name)

    def __getattr__(self, attribute: str) -> Any:
        modules = (asyncio.base_events, asyncio.unix_events)
        found = [getattr(module, self.name) for module in modules]
        mocks = [each for each in found if each is not self.real]
        return getattr(mocks[0] if mocks else self.real, attribute)


def everloop_loops() -> Loops:
    import everloop
    from everloop.aio.calls import observing
    from everloop.aio.mixins import connecting, serving

    for module in (connecting, serving):
        module.socket = StandIn("socket")
    observing.logger = StandIn("logger")
    backends = {
        selectors.EpollSelector: everloop.EVBACKEND_EPOLL,
        selectors.PollSelector: everloop.EVBACKEND_POLL,
        selectors.SelectSelector: everloop.EVBACKEND_SELECT,
    }

    def new(selector: selectors.BaseSelector | None = None) -> asyncio.AbstractEventLoop:
        """Instead of a selector, the backend on the same system call."""
        if selector is None:
            return everloop.new_event_loop()
        selector.close()
        return everloop.EventLoop(backends[type(selector)])

    return Loops(everloop.EventLoop, new)


def asyncio_loops() -> Loops:
    return Loops(asyncio.SelectorEventLoop, asyncio.SelectorEventLoop)


def uvloop_loops() -> Loops:
    import uvloop

    return Loops(uvloop.Loop, without_selector(uvloop.new_event_loop))


def loops_at(address: str) -> Loops:
    module, _, name = address.partition(":")
    loop_type = getattr(importlib.import_module(module), name)
    return Loops(loop_type, without_selector(loop_type))


def without_selector(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> Callable[..., asyncio.AbstractEventLoop]:
    """For a loop whose way of polling is its own business."""

    def new(selector: selectors.BaseSelector | None = None) -> asyncio.AbstractEventLoop:
        if selector is not None:
            selector.close()
        return new_loop()

    return new


LOOPS = {"everloop": everloop_loops, "asyncio": asyncio_loops, "uvloop": uvloop_loops}


class Made:
    """How many loops there were: a test without one under test says nothing about it."""

    loops = 0
    mocks = 0


def counted(loops: Loops) -> Loops:
    def new(*args: Any) -> asyncio.AbstractEventLoop:
        Made.loops += 1
        return loops.new(*args)

    return Loops(loops.type, new)


def substitute(loops: Loops) -> type:
    """A class to put in the place of asyncio.SelectorEventLoop.

    Calling it makes a plain loop under test, no instance of a subclass, whose speed and
    behaviour could be others.
    """

    class Substitute(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if cls is SelectorEventLoop:
                return loops.new(*args, **kwargs)
            return super().__call__(*args, **kwargs)

        def __instancecheck__(cls, instance: object) -> bool:
            if cls is SelectorEventLoop:
                return isinstance(instance, loops.type)
            return super().__instancecheck__(instance)

    class SelectorEventLoop(loops.type, metaclass=Substitute):
        pass

    return SelectorEventLoop


def default_policy() -> Any:
    """The class of the default policy, whose public name is deprecated in Python 3.14."""
    names = vars(asyncio.unix_events)
    return names.get("_DefaultEventLoopPolicy") or names["DefaultEventLoopPolicy"]


def install(name: str) -> Loops:
    """Put the loop under test wherever the standard library makes a loop by default."""
    loops = counted(LOOPS[name]() if name in LOOPS else loops_at(name))
    # Runner, IsolatedAsyncioTestCase and asyncio.new_event_loop all ask the policy, and
    # the suites go back to a new default policy again and again.
    default_policy()._loop_factory = staticmethod(loops.new)
    loop_type = substitute(loops)
    for module in (asyncio, asyncio.unix_events):
        module.SelectorEventLoop = loop_type
        if hasattr(module, "EventLoop"):
            module.EventLoop = loop_type
    return loops


# Suites that would test a loop made of mocks, although most of their tests are about any loop


def whole(loops: Loops) -> type:
    """A class of loops under test whose insides the tests can't put mocks in place of."""

    class Whole(loops.type):
        def __init__(self) -> None:
            Made.loops += 1
            super().__init__()

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in {"_process_events", "_write_to_self"}:
                super().__setattr__(name, value)

        def _run_once(self) -> None:
            """A pass: what the tests mean, and what asyncio's own loop does by this name."""
            if self.is_running():
                super()._run_once()
            else:
                self.call_soon(self.stop)
                self.run_forever()

    return Whole


def of_all(utils: Any) -> None:
    """A loop that keeps its executor to itself is closed all the same."""
    close_loop = utils.TestCase.close_loop

    def close(loop: asyncio.AbstractEventLoop) -> None:
        if hasattr(loop, "_default_executor"):
            close_loop(loop)
            return
        if not loop.is_closed():
            loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    utils.TestCase.close_loop = staticmethod(close)


def of_base_events(module: Any, loops: Loops) -> None:
    """A whole loop instead of BaseEventLoop with a mocked selector."""

    def set_up(self: Any) -> None:
        super(module.BaseEventLoopTests, self).setUp()
        self.loop = module.base_events.BaseEventLoop()
        self.set_event_loop(self.loop)

    module.BaseEventLoopTests.setUp = set_up
    everything = vars(module.base_events) | {"BaseEventLoop": whole(loops)}
    module.base_events = types.SimpleNamespace(**everything)


def of_pep492(module: Any, loops: Loops) -> None:
    """A whole loop instead of BaseEventLoop with a mocked selector."""

    def set_up(self: Any) -> None:
        super(module.BaseTest, self).setUp()
        self.loop = loops.new()
        self.set_event_loop(self.loop)

    module.BaseTest.setUp = set_up


def of_runners(module: Any, loops: Loops) -> None:
    """A whole loop instead of BaseEventLoop with a mocked selector."""

    def make(self: Any) -> asyncio.AbstractEventLoop:
        loop: Any = loops.new()
        loop.shutdown_ag_run = False

        async def shutdown_asyncgens() -> None:
            loop.shutdown_ag_run = True

        loop.shutdown_asyncgens = shutdown_asyncgens
        return loop

    module.BaseTest.new_loop = make


def of_futures(module: Any, loops: Loops) -> None:
    """The loop under test instead of utils.TestLoop, unless the test controls the time."""
    test_case = module.test_utils.TestCase
    mocked = test_case.new_test_loop

    def new_test_loop(self: Any, gen: Any = None) -> asyncio.AbstractEventLoop:
        if gen is not None:
            Made.mocks += 1
            return mocked(self, gen)
        loop = loops.new()
        self.set_event_loop(loop)
        return loop

    test_case.new_test_loop = new_test_loop


def of_subprocess(module: Any, loops: Loops) -> None:
    """On CPython 3.12.1 one test needs another before it, to have set a loop."""
    asyncio.set_event_loop(None)


def of_tasks(module: Any, loops: Loops) -> None:
    """The same, and no look into the queue of the loop to see whether it is empty."""
    of_futures(module, loops)

    def run_loop(self: Any, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(10):
            module.test_utils.run_briefly(loop)

    module.GatherTestsBase._run_loop = run_loop


ADAPTED = {
    "test_base_events": of_base_events,
    "test_futures": of_futures,
    "test_pep492": of_pep492,
    "test_runners": of_runners,
    "test_subprocess": of_subprocess,
    "test_tasks": of_tasks,
}


# The tests


def short(test_id: str) -> str:
    return test_id.removeprefix(f"{PACKAGE}.")


def flat(suite: Iterable[Any]) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def load(suite: str) -> list[unittest.TestCase]:
    return list(flat(unittest.defaultTestLoader.loadTestsFromName(f"{PACKAGE}.{suite}")))


def adapt(suite: str, loops: Loops) -> None:
    of_all(importlib.import_module(f"{PACKAGE}.utils"))
    module = sys.modules.get(f"{PACKAGE}.{suite}")  # none if all of it is skipped
    if module is not None and suite in ADAPTED:
        ADAPTED[suite](module, loops)


class Recorder(unittest.TestResult):
    """Reports each test as it begins and as it ends."""

    # What a test can come to, the worst last.
    RANKS = ("passed", "skipped", "failed")

    def __init__(self, report: Report, limit: float, *, collect: bool) -> None:
        super().__init__()
        self.report = report
        self.limit = limit
        self.collect = collect
        self.running: unittest.TestCase | None = None
        sys.unraisablehook = self.unraisable
        threading.excepthook = self.left_thread

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.begin(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        if self.running is not None:  # CPython 3.12.1 begins no test that is skipped
            self.look_around()
            self.end()
        super().stopTest(test)

    def begin(self, test: Any) -> None:
        faulthandler.dump_traceback_later(self.limit, exit=True)
        self.running = test
        self.outcome = "passed"
        self.details: list[str] = []
        Made.loops = Made.mocks = 0
        self.began = time.monotonic()
        self.report.write(began=short(test.id()), output=self.written())

    def end(self) -> None:
        test, self.running = self.running, None
        self.report.write(
            test=short(test.id()),
            outcome=self.outcome,
            details="\n".join(self.details),
            loops=0 if Made.mocks else Made.loops,
            seconds=round(time.monotonic() - self.began, 3),
            output=self.written(),
        )

    def written(self) -> int:
        """How much the process has printed; the output is a file."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        return os.fstat(1).st_size

    def note(self, test: Any, outcome: str, details: str) -> None:
        """What setUpClass and setUpModule come to belongs to no test that has begun."""
        alone = self.running is None
        if alone:
            self.begin(test)
        self.outcome = max(self.outcome, outcome, key=self.RANKS.index)
        self.details.append(details)
        if alone:
            self.end()

    def look_around(self) -> None:
        """What is left behind: threads and child processes, which test.support looks for."""
        if self.collect:
            gc.collect()
        support = sys.modules["test.support"]
        if support.environment_altered:
            support.environment_altered = False
            self.note(self.running, "failed", "left threads or processes behind")

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self.note(test, "failed", self.errors[-1][1])

    def addFailure(self, test: Any, error: Any) -> None:
        super().addFailure(test, error)
        self.note(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, error: Any) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            told = self.failures if issubclass(error[0], test.failureException) else self.errors
            self.note(test, "failed", f"{subtest}\n{told[-1][1]}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "failed", "expected to fail, but passed")

    def unraisable(self, told: Any) -> None:
        """An exception that could not be raised is a failure of the test it happened in."""
        sys.__unraisablehook__(told)
        if self.running is not None:
            self.note(self.running, "failed", f"unraisable: {told.exc_value!r} in {told.object!r}")

    def left_thread(self, told: Any) -> None:
        threading.__excepthook__(told)
        if self.running is not None:
            self.note(self.running, "failed", f"in {told.thread}: {told.exc_value!r}")


# What can be ordered


def list_suites(order: dict[str, Any], report: Report, loops: Loops) -> None:
    for suite in order["suites"]:
        if importlib.util.find_spec(f"{PACKAGE}.{suite}"):
            tests = [short(test.id()) for test in load(suite)]
            report.write(suite=suite, tests=tests)


def run_suite(order: dict[str, Any], report: Report, loops: Loops) -> None:
    wanted = set(order["tests"])
    tests = [test for test in load(order["suite"]) if short(test.id()) in wanted]
    adapt(order["suite"], loops)
    suite = unittest.TestSuite(tests)
    del tests  # a suite drops each test after it, and what hangs on it
    recorder = Recorder(report, order["limit"], collect=order["collect"])
    suite.run(recorder)
    # The end of the interpreter may hang or crash as well.
    faulthandler.dump_traceback_later(order["limit"], exit=True)


def main(order: dict[str, Any]) -> None:
    faulthandler.enable()
    # A shell's background job is told to ignore SIGINT, and tells its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path += [entry for entry in order["path"] if entry not in sys.path]
    report = Report(order["report"])
    loops = install(order["loop"])
    actions = {"list": list_suites, "run": run_suite}
    actions[order["action"]](order, report, loops)
    report.write(finished=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
