"""Prepare: just before the wait."""

import os

from everloop import EV_PREPARE, EV_READ, EVRUN_NOWAIT, EVRUN_ONCE, Prepare


def test_called_in_each_pass_with_its_bit(loop):
    called = []
    watcher = loop.prepare(lambda w, e: called.append((w, e)))
    watcher.start()
    for n in range(1, 4):
        assert loop.start(EVRUN_NOWAIT) is True
        assert called == [(watcher, EV_PREPARE)] * n


def test_what_it_starts_counts_in_the_same_pass(loop, clock, pipe):
    r, w = pipe()
    os.write(w, b"x")
    called = []
    reader = loop.io(r, EV_READ, lambda w, e: called.append("io"))
    timer = loop.timer(0.0, 0.0, lambda w, e: called.append("timer"))
    prepare = loop.prepare(lambda w, e: (reader.start(), timer.start(), w.stop()))
    prepare.start()
    loop.start(EVRUN_ONCE)
    assert called == ["timer", "io"]


def test_keeps_the_loop_from_ending_but_not_from_waiting(loop, clock):
    called = []
    prepare = loop.prepare(lambda w, e: called.append(loop.now()))
    prepare.start()
    begin = loop.now()
    loop.timer(5.0, 0.0, lambda w, e: prepare.stop()).start()
    assert loop.start() is False
    assert called == [begin]


def test_last_started_is_called_first(loop):
    called = []
    for n in range(4):
        loop.prepare(lambda w, e: called.append(w.data), n).start()
    loop.start(EVRUN_NOWAIT)
    assert called == [3, 2, 1, 0]


def test_stop_of_the_loop_skips_the_wait(loop):
    loop.timer(1000.0, 0.0, lambda w, e: None).start()
    loop.prepare(lambda w, e: loop.stop()).start()
    before = loop.iteration
    assert loop.start() is True
    assert loop.iteration == before


def test_stopped_by_another_one_is_not_called(loop):
    called = []
    first = loop.prepare(lambda w, e: called.append("first"))
    second = loop.prepare(lambda w, e: (called.append("second"), first.stop()))
    first.start()
    second.start()
    loop.start(EVRUN_NOWAIT)
    assert called == ["second"]


def test_reset_in_a_prepare_callback(loop, pipe):
    r, w = pipe()
    os.write(w, b"x")
    called = []
    loop.io(r, EV_READ, lambda w, e: called.append(e)).start()
    loop.prepare(lambda w, e: loop.reset()).start()
    for n in range(1, 4):
        loop.start(EVRUN_NOWAIT)
        loop.verify()
        assert called == [EV_READ] * n


def test_factory_makes_the_class(loop):
    watcher = loop.prepare(print, "data", -1)
    assert type(watcher) is Prepare
    assert (watcher.data, watcher.priority) == ("data", -1)
    assert repr(watcher) == "<Prepare stopped, priority -1, calls print>"
