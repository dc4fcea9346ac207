"""CPython's own tests of asyncio on everloop, and whether they would notice a faulty loop."""

import faulthandler
import sys

import pytest
from patience import patient

from . import cpython

# A suite takes up to 20 seconds, and some minutes if its tests hang.
SUITE_HANGS_AFTER = patient(cpython.LOST_AFTER * 2)

# Exclusions of what a loop does, of what is tested at all.
MOST_BEHAVIOUR = 0.01

FAULTY = f"{__package__}.stand_ins"
BEFORE = "test_base_events.BaseEventLoopTests.test_run_once"
DELAYED = "test_base_events.BaseEventLoopTests.test_time_and_call_at"
AFTER = "test_base_events.BaseEventLoopWithSelectorTests.test_getnameinfo"


@pytest.fixture(autouse=True)
def patient(nothing_left, request):
    """More time for the tests of this module, each of which runs hundreds of others."""
    if not cpython.has_tests():
        pytest.skip(cpython.NO_TESTS)
    file = request.config.terminal_fd
    faulthandler.dump_traceback_later(SUITE_HANGS_AFTER, exit=True, file=file)


def run_on(loop, options=cpython.DEFAULT):
    """The results of three tests: the loops of stand_ins.py go wrong in the middle one."""
    tests = [BEFORE, DELAYED, AFTER]
    results = cpython.run_tests("test_base_events", tests, loop, options)
    assert [result.test for result in results] == tests
    return results


@pytest.fixture(scope="module")
def reports():
    """What each suite that ran came to."""
    return {}


@pytest.mark.parametrize("suite", cpython.SUITES)
def test_suite(suite, reports):
    if suite not in cpython.listing("everloop"):
        pytest.skip(f"Python {sys.version.split()[0]} has no {suite}")
    reports[suite] = cpython.run_suite(suite, "everloop")
    if reports[suite].failed:
        pytest.fail(reports[suite].complaint(), pytrace=False)


def test_enough_tests_made_a_loop(reports):
    if reports.keys() != cpython.listing("everloop").keys():
        pytest.skip("not all suites ran")
    version = sys.version_info[:2]
    least = cpython.LEAST_ON_THE_LOOP.get(version)
    made = sum(report.on_the_loop for report in reports.values())
    assert least, f"LEAST_ON_THE_LOOP says nothing about Python {version}; here it is {made}"
    assert made >= least


# The exclusions


def test_every_exclusion_matches_a_test():
    tests = [test for suite in cpython.listing("asyncio").values() for test in suite]
    idle = [each for each in cpython.exclusions() if not any(map(each.covers, tests))]
    assert not idle


def test_hardly_any_behaviour_is_excluded():
    tests = [test for suite in cpython.listing("asyncio").values() for test in suite]
    kinds = [exclusion.kind for exclusion in cpython.excluded(tests).values()]
    counted = len(tests) - kinds.count("private")
    assert kinds.count("behaviour") < counted * MOST_BEHAVIOUR


def test_an_exclusion_needs_a_kind_and_a_reason():
    (exclusion,) = cpython.read_exclusions("# why\nprivate  test_x.*  >=3.12  looks into _ready\n")
    assert exclusion == ("private", "test_x.*", ">=3.12", "looks into _ready")
    for line in ("test_x.* looks into _ready", "private test_x.*", "private test_x.* >=3.12"):
        with pytest.raises(ValueError, match="not 'kind pattern"):
            cpython.read_exclusions(line)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        (">=3.12", True),
        ("<3.12", False),
        ("==3.12", True),
        (">=3.12,<3.12.4", True),
        (">=3.12,<3.12.2", False),
    ],
)
def test_conditions(condition, expected):
    assert cpython.holds(condition, (3, 12, 2)) is expected


def test_a_wrong_condition():
    with pytest.raises(ValueError, match="not a condition"):
        cpython.holds(">=three")


# Faulty loops


def test_the_loop_of_the_standard_library_passes():
    for result in run_on("asyncio"):
        assert result.outcome == "passed", result.details
        assert result.loops == 1


def test_a_wrong_result_is_a_failure():
    before, delayed, after = run_on(f"{FAULTY}:Wrong")
    assert (before.outcome, delayed.outcome, after.outcome) == ("passed", "failed", "passed")
    assert "assertGreaterEqual(dt, delay" in delayed.details


def test_a_hang_ends_and_is_reported():
    before, delayed, after = run_on(f"{FAULTY}:Deaf", cpython.Options(limit=5.0))
    assert (before.outcome, delayed.outcome, after.outcome) == ("passed", "failed", "passed")
    assert delayed.details.startswith("hung")
    assert "in test_time_and_call_at" in delayed.details


def test_a_crash_is_reported():
    before, delayed, after = run_on(f"{FAULTY}:Crashing")
    assert (before.outcome, delayed.outcome, after.outcome) == ("passed", "failed", "passed")
    assert delayed.details.startswith("the process was killed by SIGABRT")
    assert "in test_time_and_call_at" in delayed.details


def test_an_exception_that_nobody_can_catch_is_a_failure():
    for result in run_on(f"{FAULTY}:Leaking"):
        assert result.outcome == "failed"
        assert "left by a loop" in result.details


def test_what_fails_everywhere_is_not_the_loops_fault():
    private = "test_base_events.BaseEventLoopTests.test_run_forever_pre_stopped"
    report = cpython.Suite("test_base_events", [DELAYED, private])
    cpython.judge(report, report.tests, f"{FAULTY}:Wrong")
    assert report.elsewhere == {private}
    assert [result.test for result in report.failed] == [DELAYED]
    assert DELAYED in report.complaint()
    assert private not in report.complaint()


def test_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cpython", "test_context", "--loop", "asyncio"])
    assert cpython.main() == 0
    assert (
        "| test_context             |     1 |   1 |      1 |           1 |"
        in capsys.readouterr().out
    )
