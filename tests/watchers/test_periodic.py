"""Periodic: moments on the wall clock, and what happens when that is set."""

import math

import pytest

import everloop
from everloop import EV_PERIODIC, EVRUN_NOWAIT, EVRUN_ONCE, Error

NOW = 1_000_000_000.0  # the wall clock of the fixture `clock`
HOUR = 3600.0
YEAR = 365 * 86400.0


def noop(watcher, revents):
    pass


class Seen(list):
    """A callback that remembers the loop's time at each call; it stops after a number of them."""

    def __init__(self, limit=0):
        super().__init__()
        self.limit = limit

    def __call__(self, watcher, revents):
        assert revents == EV_PERIODIC
        self.append(watcher.loop.now())
        if len(self) == self.limit:
            watcher.stop()


def one_pass(loop):
    loop.start(EVRUN_NOWAIT)
    loop.verify()


# Regular moments


@pytest.mark.parametrize("offset", [0.0, 1.5, 1800.0, 3600.0])
def test_moments_are_offset_plus_multiples_of_the_interval(loop, clock, offset):
    seen = Seen(5)
    loop.periodic(offset, HOUR, seen).start()
    assert loop.start() is False
    first = offset % HOUR + math.floor(NOW / HOUR) * HOUR
    first += HOUR * (first <= NOW)
    assert seen == [first + i * HOUR for i in range(5)]


@pytest.mark.parametrize("wall", [NOW, NOW + 20 * YEAR, NOW + 30 * YEAR])
def test_a_tenth_of_a_second_does_not_drift_or_skip(loop, clock, wall):
    clock.set_wall(wall)
    seen = Seen(2000)
    loop.periodic(0.0, 0.1, seen).start()
    loop.start()
    counts = [round(moment * 10) for moment in seen]
    assert counts == list(range(counts[0], counts[0] + 2000))
    assert max(abs(moment * 10 - count) for moment, count in zip(seen, counts, strict=True)) < 1e-4


def test_an_interval_that_does_not_divide_the_years_stays_exact(loop, clock):
    watcher = loop.periodic(1.0, 7.0, noop)
    for years in (0, 1, 10, 50, 200):
        clock.set_wall(NOW + years * YEAR)
        watcher.reset()
        assert (watcher.at - 1.0) % 7.0 == 0.0
        assert 0.0 < watcher.at - loop.now() <= 7.0
    watcher.stop()


@pytest.mark.parametrize("interval", [1e-9, 1e-12, 1e-200])
def test_an_interval_below_the_clocks_resolution_calls_once_a_pass(loop, clock, interval):
    seen = Seen()
    watcher = loop.periodic(0.0, interval, seen)
    watcher.start()
    for calls in range(1, 20):
        clock.advance(0.001)
        one_pass(loop)
        assert len(seen) == calls
        assert watcher.at >= seen[-1]
    watcher.stop()


def test_a_tiny_interval_comes_to_an_end(loop):
    seen = Seen(100)
    loop.periodic(0.0, 1e-9, seen).start()
    loop.start()
    assert len(seen) == 100


def test_is_never_early(loop):
    at = []

    def callback(watcher, revents):
        assert everloop.time() >= at[-1]
        at.append(watcher.at)
        if len(at) > 20:
            watcher.stop()

    watcher = loop.periodic(0.0, 0.001, callback)
    watcher.start()
    at.append(watcher.at)
    loop.start()
    assert at == sorted(at)


def test_missed_moments_are_not_made_up_for(loop, clock):
    seen = Seen()
    watcher = loop.periodic(0.0, 1.0, seen)
    watcher.start()
    clock.advance(1000.5)
    one_pass(loop)
    one_pass(loop)
    assert len(seen) == 1
    assert watcher.at == NOW + 1001


def test_next_moment_is_known_in_the_callback(loop, clock):
    at = []
    watcher = loop.periodic(0.0, HOUR, lambda w, e: at.append(w.at - w.loop.now()))
    watcher.start()
    while len(at) < 3:
        loop.start(EVRUN_ONCE)
    assert at == [HOUR] * 3


def test_an_infinite_interval_never_comes(loop, clock):
    seen = Seen()
    loop.periodic(0.0, math.inf, seen).start()
    for _ in range(5):
        clock.advance(YEAR)
        one_pass(loop)
    assert seen == []


def test_those_due_are_called_the_earliest_first(loop, clock):
    order = []
    for delay in (3.0, 1.0, 2.0):
        loop.periodic(NOW + delay, 0.0, lambda w, e: order.append(w.data), delay).start()
    clock.advance(5.0)
    one_pass(loop)
    assert order == [1.0, 2.0, 3.0]


# One moment


def test_a_moment_to_come_is_waited_for_and_comes_once(loop, clock):
    seen = Seen()
    watcher = loop.periodic(NOW + YEAR, 0.0, seen)
    watcher.start()
    assert watcher.at == NOW + YEAR
    assert loop.start() is False
    assert seen == [NOW + YEAR]


def test_the_watcher_has_stopped_when_its_only_call_comes(loop, clock):
    active = []
    loop.periodic(NOW + 1, 0.0, lambda w, e: active.append(w.active)).start()
    loop.start()
    assert active == [False]


@pytest.mark.parametrize("moment", [NOW - YEAR, NOW, 0.0, -1.0, -1e300, -math.inf])
def test_a_moment_that_has_passed_comes_at_once(loop, clock, moment):
    seen = Seen()
    loop.periodic(moment, 0.0, seen).start()
    assert loop.start(EVRUN_NOWAIT) is False
    assert seen == [NOW]


@pytest.mark.parametrize("moment", [1e12, 1e300, math.inf])
def test_a_moment_too_far_away_does_not_come(loop, clock, moment):
    seen = Seen()
    loop.periodic(moment, 0.0, seen).start()
    clock.advance(100 * YEAR)
    assert loop.start(EVRUN_NOWAIT) is True
    loop.verify()
    assert seen == []


def test_started_again_in_its_callback_it_waits_anew(loop, clock):
    seen = []

    def callback(watcher, revents):
        seen.append(loop.now())
        if len(seen) < 3:
            watcher.set(loop.now() + 10.0, 0.0)
            watcher.start()

    loop.periodic(NOW + 10.0, 0.0, callback).start()
    loop.start()
    assert seen == [NOW + 10, NOW + 20, NOW + 30]


def test_stopped_while_pending_it_does_not_call(loop, clock):
    seen = Seen()
    first = loop.periodic(NOW, 0.0, lambda w, e: second.stop())
    second = loop.periodic(NOW + 0.5, 0.0, seen)
    first.start()
    second.start()
    clock.advance(1.0)
    one_pass(loop)
    assert seen == []
    assert not second.active and not second.pending


# The wall clock is set


@pytest.mark.parametrize("jump", [1.5, HOUR * 2, YEAR, -1.5, -HOUR * 2, -YEAR])
def test_a_jump_moves_regular_moments_without_a_call(loop, clock, jump):
    seen = Seen()
    watcher = loop.periodic(0.0, HOUR, seen)
    watcher.start()
    clock.set_wall(NOW + jump)
    one_pass(loop)
    assert seen == []
    assert watcher.at == (math.floor((NOW + jump) / HOUR) + 1) * HOUR
    due = watcher.at
    while not seen:
        loop.start(EVRUN_ONCE)
    assert seen == [due]


def test_a_jump_past_a_single_moment_calls(loop, clock):
    seen = Seen()
    loop.periodic(NOW + HOUR, 0.0, seen).start()
    one_pass(loop)
    clock.set_wall(NOW + YEAR)
    assert loop.start(EVRUN_NOWAIT) is False
    assert seen == [NOW + YEAR]


def test_a_jump_back_delays_a_single_moment(loop, clock):
    seen = Seen()
    watcher = loop.periodic(NOW + HOUR, 0.0, seen)
    watcher.start()
    clock.set_wall(NOW - YEAR)
    clock.advance(2 * HOUR)
    one_pass(loop)
    assert seen == []
    assert watcher.at == NOW + HOUR
    loop.start()
    assert seen == [NOW + HOUR]


def test_timers_do_not_care_about_jumps(loop, clock):
    called = []
    loop.timer(10.0, 0.0, lambda w, e: called.append(w)).start()
    loop.periodic(0.0, HOUR, noop).start()
    clock.set_wall(NOW + YEAR)
    one_pass(loop)
    assert called == []
    clock.advance(10.0)
    one_pass(loop)
    assert len(called) == 1


def test_many_moments_are_all_moved_by_a_jump(loop, clock):
    watchers = [loop.periodic(0.0, 60.0 + i, noop) for i in range(500)]
    for watcher in watchers:
        watcher.start()
    clock.set_wall(NOW - 10 * YEAR)
    one_pass(loop)
    now = loop.now()
    assert all(now < watcher.at <= now + watcher.interval for watcher in watchers)
    assert len({watcher.at for watcher in watchers}) > 100


def test_a_jump_in_a_callback_is_followed(loop, clock):
    watcher = loop.periodic(0.0, HOUR, noop)
    watcher.start()
    loop.timer(0.0, 0.0, lambda w, e: clock.set_wall(NOW - YEAR)).start()
    one_pass(loop)
    one_pass(loop)
    assert NOW - YEAR < watcher.at <= NOW - YEAR + HOUR


# Attributes and errors


def test_attributes(loop, clock):
    watcher = loop.periodic(2.0, 10.0, noop, "data", 1)
    assert (watcher.offset, watcher.interval, watcher.at) == (2.0, 10.0, 0.0)
    assert (watcher.data, watcher.priority, watcher.callback) == ("data", 1, noop)
    assert watcher.loop is loop
    for name in ("at", "active", "pending"):
        with pytest.raises(AttributeError):
            setattr(watcher, name, 1)
    for name in ("offset", "interval", "at"):
        with pytest.raises(TypeError):
            delattr(watcher, name)


def test_keywords(loop):
    watcher = everloop.Periodic(offset=1, interval=2, loop=loop, callback=noop, data=3, priority=-1)
    assert (watcher.offset, watcher.interval, watcher.data, watcher.priority) == (1, 2, 3, -1)


def test_attributes_take_effect_at_the_next_time(loop, clock):
    seen = Seen(2)
    watcher = loop.periodic(0.0, 100.0, seen)
    watcher.start()
    watcher.interval = 7.0
    watcher.offset = 3.0
    assert watcher.at == NOW + 100
    loop.start()
    assert seen[0] == NOW + 100
    assert seen[1] - seen[0] <= 7.0
    assert (seen[1] - 3.0) % 7.0 == 0.0


def test_reset_makes_attributes_take_effect_and_starts(loop, clock):
    watcher = loop.periodic(0.0, 100.0, noop)
    watcher.reset()
    assert watcher.active
    watcher.interval = 50.0
    watcher.reset()
    assert watcher.at == NOW + 50
    watcher.interval = 0.0
    watcher.offset = NOW + 5.0
    watcher.reset()
    assert watcher.at == NOW + 5
    loop.verify()


def test_set_gives_another_moment_but_not_while_active(loop, clock):
    watcher = loop.periodic(0.0, 100.0, noop)
    watcher.set(1.0, 10.0)
    watcher.start()
    assert watcher.at == NOW + 1
    with pytest.raises(Error):
        watcher.set(0.0, 1.0)
    assert (watcher.offset, watcher.interval) == (1.0, 10.0)
    watcher.stop()
    watcher.set(0.0, 1.0)
    assert (watcher.offset, watcher.interval) == (0.0, 1.0)


BAD_PERIODS = [
    (0.0, -1.0),
    (0.0, math.nan),
    (math.nan, 0.0),
    (math.nan, 1.0),
    (-0.5, 1.0),
    (1.5, 1.0),
    (0.0, -math.inf),
    (math.inf, 1.0),
]


@pytest.mark.parametrize("period", BAD_PERIODS)
def test_periods_out_of_range_are_refused_and_change_nothing(loop, period):
    with pytest.raises(ValueError):
        loop.periodic(*period, noop)
    watcher = loop.periodic(0.25, 0.5, noop)
    with pytest.raises(ValueError):
        watcher.set(*period)
    assert (watcher.offset, watcher.interval) == (0.25, 0.5)


def test_attributes_out_of_range_are_refused(loop):
    watcher = loop.periodic(5.0, 10.0, noop)
    for name, value in (("offset", 11.0), ("offset", -1.0), ("interval", 4.0), ("interval", -1.0)):
        with pytest.raises(ValueError):
            setattr(watcher, name, value)
    for name in ("offset", "interval"):
        with pytest.raises(ValueError):
            setattr(watcher, name, math.nan)
        with pytest.raises(TypeError):
            setattr(watcher, name, "1")
    assert (watcher.offset, watcher.interval) == (5.0, 10.0)


@pytest.mark.parametrize("arguments", [("x", 1.0), (0.0, None), (0.0,), ()])
def test_wrong_types_are_refused(loop, arguments):
    with pytest.raises(TypeError):
        everloop.Periodic(*arguments, loop, noop)
    with pytest.raises(TypeError):
        loop.periodic(0.0, 1.0, 5)
    with pytest.raises(TypeError):
        everloop.Periodic(0.0, 1.0, "loop", noop)


def test_of_a_closed_loop_can_not_be_started(new_loop):
    loop = new_loop()
    watcher = loop.periodic(0.0, 1.0, noop)
    watcher.start()
    loop.close()
    assert not watcher.active
    with pytest.raises(Error):
        watcher.start()
    with pytest.raises(Error):
        watcher.reset()


def test_structures_hold_through_many_starts_and_stops(loop, clock):
    watchers = [loop.periodic(float(i % 7), 7.0 + i % 13, noop) for i in range(200)]
    for step in range(600):
        watcher = watchers[step * 37 % 200]
        (watcher.stop if watcher.active else watcher.start)()
        if step % 50 == 0:
            clock.advance(3.0)
            one_pass(loop)
        loop.verify()
    assert {watcher for watcher in watchers if watcher.active} == set(loop.watchers)
