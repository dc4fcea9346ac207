"""Prepare, Check and Idle have tests of their own; this is how they go together in a pass."""

from everloop import EVRUN_NOWAIT


def test_order_of_a_pass(loop, clock, pipe):
    r, w = pipe()
    called = []
    note = [
        loop.prepare(lambda w, e: called.append("prepare")),
        loop.check(lambda w, e: called.append("check")),
        loop.idle(lambda w, e: called.append("idle"), None, 1),
        loop.timer(0.0, 0.0, lambda w, e: called.append("timer")),
        loop.io(w, 2, lambda w, e: called.append("io")),
    ]
    for watcher in note:
        watcher.start()
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    assert called == ["prepare", "idle", "check", "timer", "io"]


def test_prepare_and_check_come_in_pairs(loop, clock):
    called = []
    loop.prepare(lambda w, e: called.append("prepare")).start()
    loop.check(lambda w, e: called.append("check")).start()
    loop.timer(1.0, 1.0, lambda w, e: len(called) >= 8 and loop.stop()).start()
    loop.start()
    assert called == ["prepare", "check"] * 4
