"""Clocks: the system's, one that tests move, and the functions time() and sleep()."""

import math
import signal
import threading
import time

import pytest

import everloop
from everloop import EV_READ, EVRUN_NOWAIT, EVRUN_ONCE, Clock, ManualClock


def noop(watcher, revents):
    pass


def test_time_is_the_wall_clock():
    before = time.time()
    now = everloop.time()
    after = time.time()
    assert type(now) is float
    assert before - 1e-3 <= now <= after + 1e-3


@pytest.mark.parametrize("interval", [0, 0.0, -1.0, -1e300, -math.inf])
def test_sleep_for_no_time(interval):
    assert everloop.sleep(interval) is None


def test_sleep_lasts_at_least_as_long():
    begin = time.monotonic()
    everloop.sleep(0.02)
    assert time.monotonic() - begin >= 0.02


@pytest.mark.parametrize("interval", ["x", None, [], 1j])
def test_sleep_takes_a_number(interval):
    with pytest.raises(TypeError):
        everloop.sleep(interval)


def test_sleep_refuses_nan():
    with pytest.raises(ValueError):
        everloop.sleep(math.nan)


def test_sleep_lets_other_threads_run_and_is_ended_by_a_signal(when_blocked):
    class Woken(Exception):
        pass

    def handler(*_):
        raise Woken

    before = signal.signal(signal.SIGUSR2, handler)
    try:
        when_blocked(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2))
        with pytest.raises(Woken):
            everloop.sleep(math.inf)
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_loop_has_the_systems_clock(loop):
    assert type(loop.clock) is Clock
    loop.update()
    assert abs(loop.now() - time.time()) < 5.0


def test_now_moves_only_with_passes_and_update(loop, clock):
    begin = loop.now()
    clock.advance(1.0)
    assert loop.now() == begin
    loop.update()
    assert loop.now() == begin + 1.0
    clock.advance(1.0)
    loop.start(EVRUN_NOWAIT)
    assert loop.now() == begin + 2.0


def test_manual_clock_starts_where_it_is_told(loop):
    loop.clock = ManualClock(5.0, 123.25)
    assert loop.now() == 123.25
    loop.clock = ManualClock(monotonic=7.0, wall=8.5)
    assert loop.now() == 8.5


def test_manual_clock_jumps_to_the_next_timer(loop, clock):
    begin = loop.now()
    seen = []
    for after in (3600.0, 86400.0, 1.0):
        loop.timer(after, 0.0, lambda w, e: seen.append(loop.now() - begin)).start()
    assert loop.start() is False
    assert seen == [1.0, 3600.0, 86400.0]


def test_manual_clock_looks_at_descriptors_before_it_jumps(loop, clock, pipe):
    r, w = pipe()
    seen = []
    loop.io(w, everloop.EV_WRITE, lambda w, e: (seen.append(loop.now()), w.stop())).start()
    begin = loop.now()
    loop.timer(1000.0, 0.0, lambda w, e: seen.append(loop.now())).start()
    loop.start()
    assert seen == [begin, begin + 1000.0]


def test_manual_clock_waits_for_real_when_there_is_no_timer(loop, clock, pipe, when_blocked):
    r, w = pipe()
    watcher = loop.async_(lambda w, e: loop.stop())
    watcher.start()
    loop.io(r, EV_READ, noop).start()
    begin = loop.now()
    when_blocked(watcher.send)
    assert loop.start() is True
    assert loop.now() == begin


def test_setting_the_wall_does_not_move_timers(loop, clock):
    timer = loop.timer(10.0, 0.0, noop)
    timer.start()
    clock.set_wall(5.0)
    loop.update()
    assert loop.now() == 5.0
    assert timer.remaining == 10.0


def test_changing_the_clock_keeps_what_is_left_of_timers(loop):
    timers = [loop.timer(after, 0.0, noop) for after in (1.0, 50.0, 1e300)]
    for timer in timers:
        timer.start()
    left = [timer.remaining for timer in timers]
    for clock in (ManualClock(0.0), ManualClock(1e9), Clock(), ManualClock(3.0)):
        loop.clock = clock
        loop.verify()
        assert [timer.remaining for timer in timers[:2]] == pytest.approx(left[:2], abs=5.0)


def test_one_clock_for_two_loops(new_loop):
    clock = ManualClock()
    one, two = new_loop(), new_loop()
    one.clock = two.clock = clock
    one.timer(5.0, 0.0, noop).start()
    one.start()
    timer = two.timer(1.0, 0.0, noop)
    two.update()
    timer.start()
    two.start(EVRUN_ONCE)
    assert two.now() == one.now() + 1.0


@pytest.mark.parametrize("clock", [None, 5, time.monotonic])
def test_clock_has_to_be_a_clock(loop, clock):
    before = loop.clock
    with pytest.raises(TypeError):
        loop.clock = clock
    assert loop.clock is before


def test_manual_clock_does_not_go_backwards():
    clock = ManualClock()
    for seconds in (-1.0, -1e-9, -math.inf):
        with pytest.raises(ValueError):
            clock.advance(seconds)
    clock.advance(0.0)


def test_manual_clock_takes_numbers():
    clock = ManualClock()
    for call in (clock.advance, clock.set_wall, ManualClock):
        with pytest.raises(TypeError):
            call("x")


def test_manual_clock_advanced_beyond_its_range(loop, clock):
    loop.timer(1.0, 1.0, noop).start()
    for step in (1e9, 9e9, 1e18, math.inf, math.inf):
        clock.advance(step)
        loop.update()
        loop.start(EVRUN_NOWAIT)
        loop.verify()


def test_clock_changed_in_a_callback(loop, clock):
    seen = []

    def change(watcher, revents):
        loop.clock = ManualClock(1.0, 2.0)
        loop.verify()
        seen.append(loop.now())

    loop.timer(1.0, 0.0, change).start()
    later = loop.timer(3.0, 0.0, lambda w, e: seen.append(loop.now()))
    later.start()
    assert loop.start() is False
    assert seen == [2.0, 4.0]


def test_manual_clock_and_nan():
    nan = float("nan")
    clock = ManualClock()
    for set_time in (ManualClock, clock.advance, clock.set_wall, lambda t: ManualClock(wall=t)):
        with pytest.raises(ValueError, match="NaN"):
            set_time(nan)
