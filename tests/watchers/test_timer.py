"""Timer, on a clock that the tests move."""

import gc
import math

import pytest

import everloop
from everloop import EV_TIMER, EVRUN_NOWAIT, EVRUN_ONCE, Error, Timer


def noop(watcher, revents):
    pass


@pytest.fixture
def fired():
    return []


@pytest.fixture
def timer_of(loop, clock, fired):
    """Makes timers that note at what time, counted from the start of the test, they fired."""
    begin = loop.now()

    def make(after, repeat=0.0, data=None):
        def note(watcher, revents):
            assert revents == EV_TIMER
            fired.append(round(loop.now() - begin, 6))

        return loop.timer(after, repeat, note, data)

    return make


def step(loop, clock, seconds):
    clock.advance(seconds)
    loop.start(EVRUN_NOWAIT)
    loop.verify()


def test_fires_once_after_its_time(loop, timer_of, fired):
    timer = timer_of(1.5)
    timer.start()
    assert timer.active
    assert loop.start() is False
    assert fired == [1.5]
    assert not timer.active


def test_never_before_its_time(loop, clock, timer_of, fired):
    timer_of(1.0).start()
    step(loop, clock, 0.999999)
    assert fired == []
    step(loop, clock, 0.000001)
    assert len(fired) == 1


@pytest.mark.parametrize("after", [0.0, -1.0, -1e300, -math.inf])
def test_no_time_at_all_means_the_next_pass(loop, timer_of, fired, after):
    timer_of(after).start()
    assert fired == []
    loop.start(EVRUN_NOWAIT)
    assert fired == [0.0]


def test_repeats_until_stopped(loop, timer_of, fired):
    timer = timer_of(1.0, 0.5)
    stop = loop.timer(2.75, 0.0, lambda w, e: timer.stop())
    timer.start()
    stop.start()
    assert loop.start() is False
    assert fired == [1.0, 1.5, 2.0, 2.5]


def test_late_repeating_timer_does_not_drift(loop, clock, timer_of, fired):
    timer_of(1.0, 1.0).start()
    step(loop, clock, 1.75)
    step(loop, clock, 0.5)
    assert fired == [1.75, 2.25]
    step(loop, clock, 0.5)
    assert len(fired) == 2
    step(loop, clock, 0.25)
    assert fired == [1.75, 2.25, 3.0]


def test_missed_times_are_dropped(loop, clock, timer_of, fired):
    timer_of(1.0, 1.0).start()
    step(loop, clock, 10.5)
    assert fired == [10.5]
    step(loop, clock, 0.0)
    step(loop, clock, 0.001)
    assert fired == [10.5, 10.501]
    step(loop, clock, 0.9)
    assert len(fired) == 2
    step(loop, clock, 0.2)
    assert len(fired) == 3


def test_at_most_once_a_pass(loop, clock, timer_of, fired):
    timer_of(0.0, 1e-9).start()
    for n in range(1, 5):
        step(loop, clock, 1.0)
        assert len(fired) == n


def test_stopping_keeps_the_time_that_is_left(loop, clock, timer_of, fired):
    timer = timer_of(10.0)
    timer.start()
    step(loop, clock, 4.0)
    timer.stop()
    assert timer.remaining == pytest.approx(6.0)
    step(loop, clock, 100.0)
    assert timer.remaining == pytest.approx(6.0)
    timer.start()
    loop.start()
    assert fired == [110.0]


def test_started_again_after_it_fired_is_due_at_once(loop, clock, timer_of, fired):
    timer = timer_of(1.0)
    timer.start()
    loop.start()
    timer.start()
    loop.start(EVRUN_NOWAIT)
    assert fired == [1.0, 1.0]


def test_set_gives_new_times(loop, timer_of, fired):
    timer = timer_of(100.0, 50.0)
    timer.set(2.0, 3.0)
    assert (timer.remaining, timer.repeat) == (2.0, 3.0)
    timer.start()
    for _ in range(2):
        loop.start(EVRUN_ONCE)
    assert fired == [2.0, 5.0]


def test_set_is_refused_while_active(timer_of):
    timer = timer_of(1.0, 2.0)
    timer.start()
    with pytest.raises(Error, match="set"):
        timer.set(3.0, 4.0)
    assert (timer.remaining, timer.repeat) == (1.0, 2.0)


def test_reset_of_an_active_one_moves_its_time(loop, clock, timer_of, fired):
    timer = timer_of(1.0, 5.0)
    timer.start()
    for _ in range(4):
        step(loop, clock, 0.9)
        timer.reset()
        assert timer.remaining == pytest.approx(5.0)
    assert fired == []
    loop.start(EVRUN_ONCE)
    assert fired == [8.6]


def test_reset_starts_an_inactive_one(loop, timer_of, fired):
    timer = timer_of(100.0, 2.0)
    timer.reset()
    assert timer.active
    loop.start(EVRUN_ONCE)
    assert fired == [2.0]


def test_reset_without_repeat_stops(loop, timer_of, fired):
    timer = timer_of(1.0)
    timer.start()
    timer.reset()
    assert not timer.active
    assert loop.start() is False
    assert fired == []


def test_reset_takes_back_what_is_pending(loop, timer_of, fired):
    for repeat in (0.0, 1.0):
        timer = timer_of(1.0, repeat)
        timer.feed(EV_TIMER)
        timer.reset()
        assert not timer.pending
        timer.stop()
    loop.invoke()
    assert fired == []


def test_repeat_set_in_the_callback_counts_from_the_next_time(loop, clock):
    fired = []

    def slower(watcher, revents):
        fired.append(watcher.remaining)
        watcher.repeat *= 2
        if len(fired) == 4:
            watcher.stop()

    loop.timer(1.0, 1.0, slower).start()
    loop.start()
    assert fired == pytest.approx([1.0, 2.0, 4.0, 8.0])


def test_repeat_set_to_zero_in_the_callback_gives_one_more_call(loop, clock):
    fired = []

    def last(watcher, revents):
        fired.append(watcher.active)
        watcher.repeat = 0.0

    loop.timer(1.0, 1.0, last).start()
    assert loop.start() is False
    assert fired == [True, False]


def test_remaining_counts_down_with_the_loops_time(loop, clock, timer_of):
    timer = timer_of(5.0)
    assert timer.remaining == 5.0
    timer.start()
    clock.advance(2.0)
    assert timer.remaining == 5.0
    loop.update()
    assert timer.remaining == pytest.approx(3.0)


def test_counts_from_the_loops_time(loop, clock):
    clock.advance(3.0)
    stale = loop.timer(10.0, 0.0, noop)
    stale.start()
    loop.update()
    fresh = loop.timer(10.0, 0.0, noop)
    fresh.start()
    assert stale.remaining == pytest.approx(7.0)
    assert fresh.remaining == pytest.approx(10.0)


def test_wall_clock_does_not_matter(loop, clock, timer_of, fired):
    timer = timer_of(10.0)
    timer.start()
    for wall in (0.0, 2e9, 1.0):
        clock.set_wall(wall)
        loop.start(EVRUN_NOWAIT)
        loop.update()
        assert timer.remaining == 10.0
    assert fired == []


def test_equal_times_fire_in_the_same_pass(loop, clock):
    passes = []
    for _ in range(20):
        loop.timer(1.0, 0.0, lambda w, e: passes.append(loop.iteration)).start()
    loop.start()
    assert len(passes) == 20
    assert len(set(passes)) == 1


def test_higher_priority_before_earlier_time(loop, clock):
    fired = []
    for after, priority in ((1.0, -1), (2.0, 0), (3.0, 2), (4.0, 0), (5.0, 1)):
        loop.timer(after, 0.0, lambda w, e: fired.append(w.data), after, priority).start()
    step(loop, clock, 10.0)
    assert fired == [3.0, 5.0, 2.0, 4.0, 1.0]


@pytest.mark.parametrize("name", ["after", "repeat"])
def test_nan_is_refused(loop, name):
    arguments = {"after": 1.0, "repeat": 1.0, name: math.nan}
    with pytest.raises(ValueError, match=name):
        loop.timer(callback=noop, **arguments)
    timer = loop.timer(1.0, 2.0, noop)
    with pytest.raises(ValueError, match=name):
        timer.set(**arguments)
    assert (timer.remaining, timer.repeat) == (1.0, 2.0)


@pytest.mark.parametrize("repeat", [-1.0, -1e-9, -math.inf, math.nan])
def test_bad_repeat_is_refused(loop, repeat):
    timer = loop.timer(1.0, 2.0, noop)
    with pytest.raises(ValueError, match="repeat"):
        loop.timer(1.0, repeat, noop)
    with pytest.raises(ValueError, match="repeat"):
        timer.repeat = repeat
    assert timer.repeat == 2.0


@pytest.mark.parametrize("value", ["x", None, [], 1j, object()])
def test_wrong_types_are_refused(loop, value):
    timer = loop.timer(1.0, 2.0, noop)
    for call in (
        lambda: loop.timer(value, 0.0, noop),
        lambda: loop.timer(0.0, value, noop),
        lambda: timer.set(value, 0.0),
        lambda: timer.set(0.0, value),
        lambda: setattr(timer, "repeat", value),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("after", [math.inf, 1e300, 2**62 / 1e9])
def test_forever_is_never(loop, clock, timer_of, fired, after):
    timer_of(after).start()
    step(loop, clock, 1e9)
    assert fired == []


def test_constructor_by_position_and_by_name(loop):
    for timer in (
        Timer(1.0, 2.0, loop, noop, "data", 2),
        Timer(after=1.0, repeat=2.0, loop=loop, callback=noop, data="data", priority=2),
        loop.timer(1.0, 2.0, noop, "data", 2),
        loop.timer(after=1, repeat=2, callback=noop, data="data", priority=2),
    ):
        assert type(timer) is Timer
        assert (timer.remaining, timer.repeat, timer.data, timer.priority) == (1.0, 2.0, "data", 2)


def test_made_by_position_by_name_and_of_other_numbers_alike(loop):
    for timer in (
        loop.timer(1.5, 2.0, noop),
        loop.timer(1.5, 2, noop),
        loop.timer(after=1.5, repeat=2.0, callback=noop),
        loop.timer(1.5, 2.0, noop, None, 0),
        Timer(1.5, 2.0, loop, noop),
    ):
        assert (timer.remaining, timer.repeat, timer.callback) == (1.5, 2.0, noop)
        assert (timer.loop, timer.data, timer.priority) == (loop, None, 0)
        assert gc.is_tracked(timer)
        assert not timer.active


@pytest.mark.parametrize("arguments", [(1.0, 0.0, 5), (1.0, 0.0, None), ("1", 0.0, noop)])
def test_three_arguments_by_position_are_looked_at(loop, arguments):
    with pytest.raises(TypeError):
        loop.timer(*arguments)


def test_expired_ones_leave_in_the_order_of_their_times(loop, clock):
    fired = []
    delays = [((37 * n) % 501) / 1000 + 0.001 for n in range(501)]
    for delay in delays:
        loop.timer(delay, 0.0, lambda watcher, revents: fired.append(watcher.data), delay).start()
    clock.advance(1.0)
    loop.start()
    assert fired == sorted(delays)
    loop.verify()


def test_repr_tells_times_and_state(loop, clock):
    timer = loop.timer(1.5, 0.25, noop)
    assert repr(timer) == "<Timer remaining=1.5s repeat=0.25s stopped, calls noop>"
    timer.start()
    assert "active" in repr(timer)


def test_real_clock_is_never_early(loop):
    """Without a manual clock: the kernel's waits are not cut short."""
    early = []
    for n in range(20):
        after = n * 0.0007
        due = everloop.time() + after

        def check(watcher, revents):
            early.append(min(0.0, everloop.time() - watcher.data))

        loop.update()
        loop.timer(after, 0.0, check, due).start()
    loop.start()
    assert len(early) == 20
    assert min(early) > -0.0005
