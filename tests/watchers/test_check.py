"""Check: just after the wait."""

from everloop import EV_CHECK, EVRUN_NOWAIT, Check


def test_called_in_each_pass_with_its_bit(loop):
    called = []
    watcher = loop.check(lambda w, e: called.append((w, e)))
    watcher.start()
    for n in range(1, 4):
        assert loop.start(EVRUN_NOWAIT) is True
        assert called == [(watcher, EV_CHECK)] * n


def test_first_among_equals(loop, clock):
    called = []
    loop.timer(0.0, 0.0, lambda w, e: called.append("timer")).start()
    loop.check(lambda w, e: called.append("check")).start()
    loop.start(EVRUN_NOWAIT)
    assert called == ["check", "timer"]


def test_higher_priority_goes_before_it(loop, clock):
    called = []
    loop.timer(0.0, 0.0, lambda w, e: called.append("timer"), None, 1).start()
    loop.check(lambda w, e: called.append("check")).start()
    loop.start(EVRUN_NOWAIT)
    assert called == ["timer", "check"]


def test_does_not_keep_the_loop_from_waiting(loop, clock):
    called = []
    check = loop.check(lambda w, e: called.append(e))
    check.start()
    loop.timer(5.0, 0.0, lambda w, e: check.stop()).start()
    assert loop.start() is False
    assert called == [EV_CHECK]


def test_may_stop_what_was_queued_with_it(loop, clock):
    called = []
    timer = loop.timer(0.0, 0.0, lambda w, e: called.append("timer"))
    check = loop.check(lambda w, e: (called.append(timer.pending), timer.stop()))
    timer.start()
    check.start()
    loop.start(EVRUN_NOWAIT)
    assert called == [True]


def test_factory_makes_the_class(loop):
    watcher = loop.check(print, "data", -1)
    assert type(watcher) is Check
    assert (watcher.data, watcher.priority) == ("data", -1)
