"""A plugin of pytest's that makes a suite run on another event loop, and reports each test.

``running.py`` puts this directory into PYTHONPATH and loads the plugin with ``-p``, in the virtual
environment of the suite's project. DOWNSTREAM_ORDER names a file with a JSON object:

- ``loop``: ``asyncio``, ``uvloop`` or ``everloop``;
- ``replaces``: further names that the loop's class takes, such as ``asyncio.SelectorEventLoop``;
- ``report``: the file that gets the results, one JSON object a line;
- ``left_out``: patterns of tests that do not run, ``*`` being the only wildcard;
- ``only``: files whose tests alone run, or null for all;
- ``done``: tests that do not run again, since an earlier process has run them;
- ``lost_after``: the seconds after which a test that has outlived pytest's own limit ends
  everything, with a traceback of each thread.

A test may end the process at any time, so each line is written at once, and a line says that a
test has begun before it can do harm.
"""

import faulthandler
import json
import os
import re
import time

import pytest
from loop_under_test import Loops, use

SHOWN = 8000


def matcher(patterns):
    """A function that says whether one of the patterns is the whole of a string."""
    expressions = (".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)
    return re.compile("|".join(f"(?:{each})" for each in expressions) or "(?!)", re.S).fullmatch


class Reporter:
    """Chooses the tests that run, and writes what becomes of them."""

    def __init__(self, order):
        self.order = order
        self.fd = os.open(order["report"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.pid = os.getpid()
        # Pytest captures what goes to descriptor 2.
        self.stderr = os.dup(2)
        self.left_out = matcher(order["left_out"])
        self.files_left_out = []

    def write(self, **line):
        # A child that a test has forked may run pytest's end, too.
        if os.getpid() == self.pid:
            os.write(self.fd, json.dumps(line).encode() + b"\n")

    def pytest_ignore_collect(self, collection_path, config):
        name = os.path.relpath(collection_path, config.rootpath)
        if not self.left_out(name):
            return None
        self.files_left_out.append(name)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        left_out, done = self.left_out, frozenset(self.order["done"])
        only = self.order["only"]

        def wanted(item):
            if left_out(item.nodeid) or item.nodeid in done:
                return False
            return only is None or item.nodeid.partition("::")[0] in only

        unwanted = [item for item in items if not wanted(item)]
        items[:] = filter(wanted, items)
        config.hook.pytest_deselected(items=unwanted)
        tests = [item.nodeid for item in unwanted if left_out(item.nodeid)]
        self.write(left_out=self.files_left_out + tests)

    def pytest_collectreport(self, report):
        if report.failed:
            self.write(test=report.nodeid, outcome="failed", details=report.longreprtext[-SHOWN:])

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        before, began = Loops.made, time.monotonic()
        self.write(began=item.nodeid)
        faulthandler.dump_traceback_later(self.order["lost_after"], exit=True, file=self.stderr)
        yield
        faulthandler.cancel_dump_traceback_later()
        seconds = round(time.monotonic() - began, 2)
        self.write(ended=item.nodeid, loops=Loops.made - before, seconds=seconds)

    def pytest_runtest_logreport(self, report):
        outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
        details = report.longreprtext[-SHOWN:] if outcome == "failed" else ""
        # The set-up and the teardown count only if they come to something.
        if report.when == "call" or outcome != "passed":
            self.write(test=report.nodeid, outcome=outcome, details=details)

    def pytest_sessionfinish(self, exitstatus):
        self.write(finished=int(exitstatus), loops=Loops.made)


def pytest_configure(config):
    config.pluginmanager.register(REPORTER, "downstream_reporter")


# Before the suite's own plugins and conftest.py, which may make loops while they are imported.
with open(os.environ["DOWNSTREAM_ORDER"]) as file:
    ORDER = json.load(file)
REPORTER = Reporter(ORDER)
use(ORDER["loop"], ORDER["replaces"])
os.environ["DOWNSTREAM_LOOP"] = ORDER["loop"]
os.environ["DOWNSTREAM_REPLACES"] = ",".join(ORDER["replaces"])
