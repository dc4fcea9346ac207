"""What the outcomes on two loops come to."""

import pytest

from .comparison import FAILED, PASSED, SKIPPED, Comparison, matches, read_expectations, worst


def compare(expected=(), reference=None, runs=(), again=()):
    reasons = dict.fromkeys(expected, "a reason")
    return Comparison(reasons, reference or {}, list(runs), list(again))


def test_a_failure_on_the_loop_alone_is_a_fault():
    comparison = compare((), {"a": PASSED, "b": PASSED}, [{"a": PASSED, "b": FAILED}] * 3)
    assert comparison.faults == comparison.failing == ["b"]
    assert not comparison.known and not comparison.unsteady and not comparison.good


def test_a_failure_on_both_loops_is_none():
    comparison = compare((), {"a": FAILED, "b": SKIPPED}, [{"a": FAILED, "b": FAILED}])
    assert not comparison.failing and comparison.good


def test_a_test_that_did_not_run_has_failed():
    assert compare((), {"a": PASSED}, [{}]).faults == ["a"]


def test_a_test_that_is_skipped_has_not_failed():
    comparison = compare((), {"a": PASSED}, [{"a": SKIPPED}])
    assert comparison.good and not comparison.in_doubt and comparison.skipped == ["a"]


def test_a_failure_is_in_doubt_until_it_was_seen_three_times():
    comparison = compare((), {"a": PASSED}, [{"a": FAILED}])
    for _ in range(2):
        assert comparison.in_doubt == ["a"]
        comparison.runs.append({"a": FAILED})
    assert not comparison.in_doubt and comparison.faults == ["a"]


@pytest.mark.parametrize("outcomes", [(FAILED, PASSED), (FAILED, FAILED, PASSED)])
def test_a_failure_that_passes_once_is_unsteady(outcomes):
    comparison = compare((), {"a": PASSED}, [{"a": outcome} for outcome in outcomes])
    assert comparison.unsteady == ["a"]
    assert not comparison.in_doubt and not comparison.faults and comparison.good


def test_a_failure_that_another_run_on_asyncio_has_too_is_none():
    comparison = compare((), {"a": PASSED}, [{"a": FAILED}] * 3, [{"a": FAILED}])
    assert not comparison.failing and comparison.good


def test_further_runs_need_not_have_all_tests():
    reference = {"a": PASSED, "b": PASSED}
    comparison = compare(
        (), reference, [{"a": PASSED, "b": FAILED}, {"b": FAILED}], [{"b": PASSED}]
    )
    assert comparison.faults == comparison.in_doubt == ["b"]
    assert not comparison.unsteady


def test_an_expected_failure_is_known_at_once():
    comparison = compare(["a"], {"a": PASSED}, [{"a": FAILED}])
    assert comparison.known == ["a"] and comparison.good and not comparison.in_doubt


def test_an_expected_failure_that_passes_is_unexpected():
    comparison = compare(["a"], {"a": PASSED}, [{"a": PASSED}])
    assert comparison.in_doubt == comparison.unexpected_passes == ["a"] and not comparison.good
    comparison.runs.append({"a": FAILED})
    assert comparison.unsteady == ["a"] and comparison.good


def test_a_pattern_expects_all_that_it_matches_to_fail():
    reference = {"x[1]": PASSED, "x[2]": PASSED}
    comparison = compare(["x[*]"], reference, [{"x[1]": FAILED, "x[2]": PASSED}])
    assert comparison.known == ["x[1]"] and comparison.unexpected_passes == ["x[2]"]


def test_an_expectation_has_to_be_of_a_test():
    comparison = compare(["gone"], {"a": PASSED}, [{"a": PASSED}])
    assert comparison.unmatched == ["gone"] and not comparison.good


def test_an_expectation_of_a_test_that_fails_on_asyncio_is_left_alone():
    comparison = compare(["a"], {"a": FAILED}, [{"a": PASSED}])
    assert comparison.good and not comparison.known


def test_only_the_asterisk_is_a_wildcard():
    assert matches("t.py::t[a-*]", "t.py::t[a-\n]")
    assert not matches("t.py::t[ab]", "t.py::ta")
    assert not matches("t.py::t", "t.py::t2")


def test_the_worst_outcome_counts():
    assert worst([PASSED, FAILED]) == FAILED
    assert worst([SKIPPED, PASSED]) == SKIPPED
    assert worst([PASSED]) == PASSED


def test_expectations_have_reasons():
    read = read_expectations('[p]\n"t.py::t[*]" = "because"\n')
    assert read == {"p": {"t.py::t[*]": "because"}}
    with pytest.raises(ValueError, match="has no reason"):
        read_expectations('[p]\n"t.py::t" = " "\n')
