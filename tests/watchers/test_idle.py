"""Idle: nothing else to do."""

import pytest

from everloop import EV_IDLE, EV_WRITE, EVRUN_NOWAIT, EVRUN_ONCE, Idle


def test_called_once_a_pass(loop):
    called = []
    watcher = loop.idle(lambda w, e: called.append((w, e)))
    watcher.start()
    for n in range(1, 4):
        assert loop.start(EVRUN_ONCE) is True
        assert called == [(watcher, EV_IDLE)] * n


def test_keeps_the_loop_from_waiting(loop):
    loop.timer(1000.0, 0.0, lambda w, e: None).start()
    loop.idle(lambda w, e: (len(called) >= 10 and loop.stop()) or called.append(e)).start()
    called = []
    assert loop.start() is True
    assert len(called) >= 10


@pytest.mark.parametrize(
    ("busy", "idle", "served"), [(0, 0, False), (1, 0, False), (0, 1, True), (-2, -1, True)]
)
def test_held_back_by_what_is_as_urgent(loop, pipe, busy, idle, served):
    _, w = pipe()
    called = []
    work = loop.io(w, EV_WRITE, lambda w, e: called.append("io"), None, busy)
    work.start()
    loop.idle(lambda w, e: called.append("idle"), None, idle).start()
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
    assert ("idle" in called) is served
    work.stop()
    loop.start(EVRUN_NOWAIT)
    assert called[-1] == "idle"


def test_only_the_highest_idle_priority_is_served(loop):
    called = []
    watchers = [loop.idle(lambda w, e: called.append(w.priority), None, p) for p in (-2, 0, 2)]
    for watcher in watchers:
        watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert called == [2]
    watchers[2].stop()
    loop.start(EVRUN_NOWAIT)
    assert called == [2, 0]
    watchers[1].stop()
    loop.start(EVRUN_NOWAIT)
    assert called == [2, 0, -2]
    watchers[0].stop()
    assert loop.start() is False


def test_all_of_one_priority_are_served(loop):
    called = []
    for n in range(5):
        loop.idle(lambda w, e: called.append(w.data), n).start()
    loop.start(EVRUN_NOWAIT)
    assert sorted(called) == list(range(5))


def test_stopped_in_its_callback_lets_the_loop_end(loop):
    loop.idle(lambda w, e: w.stop()).start()
    assert loop.start() is False


def test_started_by_a_prepare_callback_counts_at_once(loop):
    called = []
    idle = loop.idle(lambda w, e: called.append(e))
    loop.timer(1000.0, 0.0, lambda w, e: None).start()
    loop.prepare(lambda w, e: idle.start()).start()
    loop.start(EVRUN_ONCE)
    assert called == [EV_IDLE]


def test_priority_changed_between_starts(loop):
    called = []
    watcher = loop.idle(lambda w, e: called.append(w.priority))
    for priority in (2, -2, 0):
        watcher.priority = priority
        watcher.start()
        loop.verify()
        loop.start(EVRUN_NOWAIT)
        watcher.stop()
        loop.verify()
    assert called == [2, -2, 0]


def test_factory_makes_the_class(loop):
    watcher = loop.idle(print, "data", -1)
    assert type(watcher) is Idle
    assert (watcher.data, watcher.priority) == ("data", -1)
