"""Async: calls from other threads."""

import signal
import threading

import pytest

from everloop import EV_ASYNC, EVRUN_NOWAIT, EVRUN_ONCE, Async


@pytest.fixture
def called():
    return []


def test_called_after_a_send(loop, called):
    watcher = loop.async_(lambda w, e: called.append((w, e, w.sent)))
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert called == []
    watcher.send()
    assert watcher.sent
    assert not watcher.pending
    loop.start(EVRUN_ONCE)
    assert called == [(watcher, EV_ASYNC, False)]
    loop.start(EVRUN_NOWAIT)
    assert len(called) == 1


def test_several_sends_make_one_call(loop, called):
    watcher = loop.async_(lambda w, e: called.append(e))
    watcher.start()
    for _ in range(100):
        watcher.send()
    loop.start(EVRUN_ONCE)
    loop.start(EVRUN_NOWAIT)
    assert called == [EV_ASYNC]


def test_only_those_sent_to_are_called(loop, called):
    watchers = [loop.async_(lambda w, e: called.append(w.data), n) for n in range(5)]
    for watcher in watchers:
        watcher.start()
    for n in (3, 1):
        watchers[n].send()
    loop.start(EVRUN_ONCE)
    assert sorted(called) == [1, 3]


def test_not_sent_at_first(loop):
    watcher = loop.async_(print)
    assert watcher.sent is False
    watcher.start()
    assert watcher.sent is False


def test_send_while_inactive_is_forgotten_at_the_start(loop, called):
    watcher = loop.async_(lambda w, e: called.append(e))
    watcher.send()
    assert watcher.sent
    watcher.start()
    assert not watcher.sent
    loop.start(EVRUN_NOWAIT)
    assert called == []


def test_stopped_after_a_send_is_not_called(loop, called):
    watcher = loop.async_(lambda w, e: called.append("stopped"))
    other = loop.async_(lambda w, e: called.append("other"))
    for each in (watcher, other):
        each.start()
        each.send()
    watcher.stop()
    loop.start(EVRUN_ONCE)
    assert called == ["other"]


def test_stopped_and_started_after_a_send_is_not_called(loop, called):
    watcher = loop.async_(lambda w, e: called.append(e))
    watcher.start()
    watcher.send()
    watcher.stop()
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert called == []


def test_send_in_its_own_callback(loop, called):
    def again(watcher, revents):
        called.append(revents)
        if len(called) < 3:
            watcher.send()
        else:
            watcher.stop()

    watcher = loop.async_(again)
    watcher.start()
    watcher.send()
    assert loop.start() is False
    assert called == [EV_ASYNC] * 3


def test_send_in_a_prepare_callback_is_served_in_that_pass(loop, called):
    watcher = loop.async_(lambda w, e: called.append(e))
    watcher.start()
    prepare = loop.prepare(lambda w, e: watcher.send())
    prepare.start()
    loop.start(EVRUN_ONCE)
    assert called == [EV_ASYNC]


def test_wakes_a_waiting_loop(loop, called, when_blocked):
    watcher = loop.async_(lambda w, e: (called.append(e), loop.stop()))
    watcher.start()
    when_blocked(watcher.send)
    loop.start()
    assert called == [EV_ASYNC]


def test_send_from_a_python_signal_handler(loop, called, when_blocked):
    watcher = loop.async_(lambda w, e: (called.append(e), loop.stop()))
    watcher.start()
    before = signal.signal(signal.SIGUSR2, lambda *_: watcher.send())
    try:
        when_blocked(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2))
        loop.start()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert called == [EV_ASYNC]


def test_nothing_is_lost_between_two_threads(loop):
    """Each call sees at least what was put there before the send."""
    box, taken = [], []

    def take(watcher, revents):
        while box:
            taken.append(box.pop())
        if len(taken) == 4000:
            loop.stop()

    watcher = loop.async_(take)
    watcher.start()

    def work():
        for n in range(1000):
            box.append(n)
            watcher.send()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    loop.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 4000


def test_ping_pong_between_two_loops_in_threads(new_loop):
    one, two = new_loop(), new_loop()
    count = []

    def serve(watcher, revents):
        count.append(watcher.data)
        if len(count) >= 200:
            a.loop.stop()
            b.loop.stop()
        (b if watcher is a else a).send()

    a, b = one.async_(serve, "a"), two.async_(serve, "b")
    a.start()
    b.start()
    thread = threading.Thread(target=two.start)
    thread.start()
    a.send()
    one.start()
    thread.join(30)
    assert not thread.is_alive()
    assert count[:200] == ["a", "b"] * 100


def test_priorities(loop, called):
    for priority in (-2, 2, 0):
        watcher = loop.async_(lambda w, e: called.append(w.priority), None, priority)
        watcher.start()
        watcher.send()
    loop.start(EVRUN_ONCE)
    assert called == [2, 0, -2]


def test_factory_under_both_names(loop):
    for factory in (loop.async_, getattr(loop, "async")):
        watcher = factory(print, "data", -1)
        assert type(watcher) is Async
        assert (watcher.data, watcher.priority) == ("data", -1)


def test_sent_is_read_only(loop):
    watcher = loop.async_(print)
    with pytest.raises(AttributeError):
        watcher.sent = True
