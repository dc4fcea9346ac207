"""Statistics: what a loop tells of what it has done."""

import dataclasses
import json
import os
import signal
import threading

import pytest

import everloop
from everloop import EV_CUSTOM, EV_READ, EVRUN_NOWAIT, EVRUN_ONCE
from everloop.statistics import Histogram, Statistics

INFINITY = float("inf")


def ignore(watcher, revents):
    pass


def test_of_a_new_loop(loop):
    found = loop.statistics()
    assert type(found) is Statistics
    assert (found.passes, found.polls, found.blocked_waits, found.callbacks) == (0, 0, 0, 0)
    assert (found.busy, found.blocked, found.utilisation) == (0.0, 0.0, 0.0)
    assert set(found.events) > {"io", "timer", "signal", "async", "fed"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.passes = 1


def test_events_are_counted_by_kind(loop, pipe):
    reader, writer = pipe()
    os.write(writer, b"x")
    loop.io(reader, EV_READ, ignore).start()
    loop.timer(0.0, 0.0, ignore).start()
    loop.prepare(ignore).start()
    loop.check(ignore).start()
    loop.idle(ignore).start()
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    counts = {kind: count for kind, count in found.events.items() if count}
    # Idle watchers wait until nothing of their priority is pending.
    assert counts == {"io": 3, "timer": 1, "prepare": 3, "check": 3}
    assert found.callbacks == sum(found.events.values()) == 10
    assert found.passes == loop.iteration == 3


def test_a_send_is_one_event_of_async(loop):
    watcher = getattr(loop, "async")(ignore)
    watcher.start()
    for _ in range(2):
        watcher.send()
        loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    assert (found.events["async"], found.callbacks) == (2, 2)


def test_a_signal_is_one_event(loop):
    loop.signal(signal.SIGUSR1, ignore).start()
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.start(EVRUN_ONCE)
    found = loop.statistics()
    assert (found.events["signal"], found.callbacks) == (1, 1)


def test_events_that_were_fed(loop):
    watcher = loop.timer(60.0, 0.0, ignore)
    for revents in (EV_CUSTOM, 0, EV_READ):
        watcher.feed(revents)
        loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    assert (found.events["fed"], found.events["io"], found.callbacks) == (2, 1, 3)


def test_what_there_is_now(loop, pipe):
    reader, writer = pipe()
    watchers = [loop.io(reader, EV_READ, ignore), loop.io(writer, EV_READ, ignore)]
    watchers += [loop.timer(60.0, 0.0, ignore), loop.periodic(0.0, 60.0, ignore)]
    for watcher in watchers:
        watcher.start()
    loop.timer(0.0, 0.0, ignore).feed(EV_CUSTOM)
    watchers[0].feed(EV_READ)
    found = loop.statistics()
    assert (found.watchers, found.timers, found.descriptors) == (5, 2, 2)
    assert (found.pending, found.pending_most) == (2, 0)


def test_the_most_that_were_pending(loop):
    watchers = [loop.prepare(ignore) for _ in range(7)]
    for watcher in watchers:
        watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert loop.statistics().pending_most == 7
    for watcher in watchers[:3]:
        watcher.stop()
    loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    assert (found.pending, found.pending_most) == (0, 7)


def test_waits(new_loop, backend, when_blocked):
    loop = new_loop(backend)
    watcher = loop.async_(lambda watcher, revents: loop.stop())
    watcher.start()
    when_blocked(watcher.send)
    loop.start()
    found = loop.statistics()
    assert found.blocked_waits >= 1
    assert found.polls >= found.blocked_waits
    assert found.wakeups == 1


def test_busy_and_blocked(loop):
    """The coarse clock ticks every ten milliseconds or more often."""
    loop.timer(0.05, 0.0, lambda watcher, revents: everloop.sleep(0.15)).start()
    loop.start()
    found = loop.statistics()
    assert found.blocked > 0.02
    assert found.busy > 0.1
    assert 0.0 < found.utilisation < 1.0
    assert found.busy + found.blocked < found.seconds + 0.02


def test_a_wait_that_goes_on_is_told_of(loop, when_blocked):
    told = []

    def look():
        everloop.sleep(0.05)
        told.append(loop.statistics())
        loop.stop()

    loop.ref()
    when_blocked(look)
    loop.start()
    loop.unref()
    assert told[0].blocked > 0.02


def test_what_runs_now_is_told_of(loop):
    told = []

    def look(watcher, revents):
        everloop.sleep(0.05)
        told.append(loop.statistics())

    loop.timer(0.0, 0.0, look).start()
    loop.start()
    assert told[0].busy > 0.02


def test_a_run_that_an_exception_ends_is_over(loop):
    loop.debug = True
    loop.timer(0.0, 0.0, lambda watcher, revents: 1 / 0).start()
    with pytest.raises(ZeroDivisionError):
        loop.start()
    everloop.sleep(0.05)
    busy = loop.statistics().busy
    loop.start(EVRUN_NOWAIT)
    assert loop.statistics().busy == busy < 0.04


def test_lateness_of_timers(loop, clock):
    for seconds in (1.0, 1.0, 1.0, 3.0):
        loop.timer(seconds, 0.0, ignore).start()
    clock.advance(3.0)
    loop.start(EVRUN_NOWAIT)
    late = loop.statistics().timer_lateness
    assert (late.count, late.sum) == (4, 6.0)
    assert late.counts[0] == 1
    assert 1.0 < late.quantile(0.99) < 2.2


def test_lateness_of_many_timers(loop, clock):
    for _ in range(100):
        loop.timer(1.0, 1.0, ignore).start()
    clock.advance(1.5)
    loop.start(EVRUN_NOWAIT)
    late = loop.statistics().timer_lateness
    assert (late.count, late.sum) == (100, 50.0)


def test_duration_of_callbacks_is_sampled(loop):
    loop.idle(ignore).start()
    for _ in range(1 + 127 * 4):
        loop.start(EVRUN_NOWAIT)
    took = loop.statistics().callback_duration
    assert took.count == 5  # the first pass, and one of each 127 after it
    assert took.sum > 0.0


def test_duration_of_a_callback_that_fails(loop, reported):
    loop.timer(0.0, 0.0, lambda watcher, revents: 1 / 0).start()
    loop.start(EVRUN_NOWAIT)
    assert len(reported) == loop.statistics().callback_duration.count == 1


def test_a_callback_within_a_callback_is_part_of_it(loop):
    loop.timer(0.0, 0.0, lambda watcher, revents: inner.invoke(EV_CUSTOM)).start()
    inner = loop.idle(ignore)
    loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    assert (found.callbacks, found.callback_duration.count) == (2, 1)


def test_since(loop):
    loop.timer(0.0, 0.0, ignore).start()
    loop.start(EVRUN_NOWAIT)
    first = loop.statistics()
    loop.timer(0.0, 0.0, ignore).start()
    loop.timer(60.0, 0.0, ignore).start()
    loop.start(EVRUN_NOWAIT)
    second = loop.statistics()
    between = second.since(first)
    assert (between.passes, between.events["timer"], between.timers) == (1, 1, 1)
    assert between.timer_lateness.count == 1
    assert between.seconds == pytest.approx(second.time - first.time)


def test_as_json(loop):
    loop.timer(0.0, 0.0, ignore).start()
    loop.start(EVRUN_NOWAIT)
    found = loop.statistics()
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert read["events"] == found.events
    assert read["callbacks"] == 1
    assert read["timer_lateness"]["count"] == 1
    assert read["timer_lateness"]["p99"] == found.timer_lateness.quantile(0.99)


def test_other_threads_may_ask(loop):
    """While the loop runs, and while a callback is stuck."""
    seen, stuck, go_on = [], threading.Event(), threading.Event()

    def look():
        stuck.wait()
        try:
            seen.append(loop.statistics())
        finally:
            go_on.set()

    def callback(watcher, revents):
        stuck.set()
        go_on.wait()

    thread = threading.Thread(target=look)
    thread.start()
    loop.timer(0.0, 0.0, callback).start()
    loop.start()
    thread.join()
    assert seen[0].events["timer"] == 1


def test_of_a_closed_loop(loop):
    loop.start(EVRUN_NOWAIT)
    loop.close()
    assert loop.statistics().passes == 1


def test_quantiles():
    few = Histogram((1.0, 2.0, 4.0, INFINITY), (0, 2, 2, 0), 10.0)
    assert [few.quantile(q) for q in (0.0, 0.25, 0.5, 0.75, 1.0)] == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert (few.count, few.mean) == (4, 2.5)
    beyond = Histogram((1.0, 2.0, INFINITY), (0, 0, 3), 30.0)
    assert beyond.quantile(0.5) == 2.0
    nothing = Histogram((1.0, INFINITY), (0, 0), 0.0)
    assert (nothing.quantile(0.5), nothing.mean) == (0.0, 0.0)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="q must be"):
            few.quantile(wrong)


@pytest.mark.parametrize(
    ("late", "bucket"),
    [(0.0, 0), (1024e-9, 0), (1025e-9, 1), (2048e-9, 1), (2049e-9, 2), (60.0, 26), (1e6, 27)],
)
def test_bounds_are_inclusive(loop, clock, late, bucket):
    loop.timer(1.0, 0.0, ignore).start()
    clock.advance(1.0 + late)
    loop.start(EVRUN_NOWAIT)
    found = loop.statistics().timer_lateness
    assert found.counts.index(1) == bucket
    assert found.bounds[bucket] >= late


def test_nobody_pays_for_what_is_not_asked_for(run_program):
    run_program(
        """
        print("everloop.statistics" in sys.modules, "dataclasses" in sys.modules)
        Loop().statistics()
        print("everloop.statistics" in sys.modules)
        """,
        "False False True",
    )
