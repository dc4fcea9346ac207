"""Scheduler: moments that the program works out, right or wrong."""

import datetime
import itertools
import math
import zoneinfo

import pytest

import everloop
from everloop import EV_PERIODIC, EVRUN_NOWAIT, EVRUN_ONCE, Error

NOW = 1_000_000_000.0  # the wall clock of the fixture `clock`
NEVER = NOW + 1e30


def noop(watcher, revents):
    pass


def never(watcher, now):
    return NEVER


def every_hour(watcher, now):
    return now + 3600.0


def broken(watcher, now):
    raise ValueError("no idea when")


@everloop.fatal
def broken_fatally(watcher, now):
    raise ValueError("no idea when")


class Seen(list):
    def __call__(self, watcher, revents):
        assert revents == EV_PERIODIC
        self.append(watcher.loop.now())


@pytest.fixture
def seen():
    return Seen()


def one_pass(loop):
    loop.start(EVRUN_NOWAIT)
    loop.verify()


def stopped_with_a_warning(loop, watcher):
    with pytest.warns(RuntimeWarning, match="reschedule callback failed"):
        one_pass(loop)
    assert not watcher.active


# As meant


def test_asked_at_the_start_and_after_each_time(loop, clock, seen):
    asked = []

    def reschedule(watcher, now):
        asked.append(now)
        return now + 10.0 if len(asked) < 4 else NEVER

    watcher = loop.scheduler(reschedule, seen)
    assert watcher.at == 0.0
    watcher.start()
    assert asked == [NOW]
    assert watcher.at == NOW + 10
    for _ in range(3):
        loop.start(EVRUN_ONCE)
    assert seen == [NOW + 10, NOW + 20, NOW + 30]
    assert asked == [NOW, NOW + 10, NOW + 20, NOW + 30]
    assert watcher.at == NEVER


def test_now_itself_is_a_time_that_comes_once_a_pass(loop, clock, seen):
    watcher = loop.scheduler(lambda w, now: now, seen)
    watcher.start()
    clock.advance(1.0)
    one_pass(loop)
    clock.advance(1.0)
    one_pass(loop)
    assert len(seen) == 2


@pytest.mark.parametrize("far", [NEVER, 1e300, math.inf])
def test_a_time_too_far_away_does_not_come(loop, clock, seen, far):
    loop.scheduler(lambda w, now: far, seen).start()
    clock.advance(1e9)
    assert loop.start(EVRUN_NOWAIT) is True
    assert seen == []


def test_whole_numbers_are_times_too(loop, clock, seen):
    loop.scheduler(lambda w, now: int(now) + 5, seen).start()
    loop.start(EVRUN_ONCE)
    assert seen == [NOW + 5]


@pytest.mark.parametrize("jump", [5.0, 86400.0, -5.0, -86400.0])
def test_asked_anew_when_the_clock_is_set(loop, clock, seen, jump):
    asked = []

    def reschedule(watcher, now):
        asked.append(now)
        return now + 3600.0

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    clock.set_wall(NOW + jump)
    one_pass(loop)
    assert asked == [NOW, NOW + jump]
    assert watcher.at == NOW + jump + 3600
    assert seen == []


def test_not_asked_anew_while_the_clock_just_goes_on(loop, clock):
    asked = []
    loop.scheduler(lambda w, now: asked.append(now) or now + 3600, noop).start()
    for _ in range(10):
        clock.advance(300.0)
        one_pass(loop)
    assert asked == [NOW]


# Midnights, local time

MIDNIGHTS = [
    pytest.param("Europe/Berlin", (2024, 3, 29), [24, 23, 24, 24], id="Berlin-spring"),
    pytest.param("Europe/Berlin", (2024, 10, 25), [24, 25, 24, 24], id="Berlin-autumn"),
    pytest.param("America/New_York", (2024, 3, 8), [24, 23, 24, 24], id="New_York-spring"),
    pytest.param("America/New_York", (2024, 11, 1), [24, 25, 24, 24], id="New_York-autumn"),
    pytest.param("Australia/Lord_Howe", (2024, 10, 4), [24, 23.5, 24, 24], id="half-an-hour"),
]


def next_midnight(zone):
    def reschedule(watcher, now):
        day = datetime.datetime.fromtimestamp(now, zone).date() + datetime.timedelta(days=1)
        return datetime.datetime.combine(day, datetime.time(), zone).timestamp()

    return reschedule


def zone_named(name):
    try:
        return zoneinfo.ZoneInfo(name)
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip(f"the system does not know {name}")


@pytest.mark.parametrize(("name", "day", "hours"), MIDNIGHTS)
def test_local_midnights_across_a_change_of_the_offset(loop, clock, seen, name, day, hours):
    zone = zone_named(name)
    clock.set_wall(datetime.datetime(*day, 12, tzinfo=zone).timestamp())
    loop.scheduler(next_midnight(zone), seen).start()
    while len(seen) < 5:
        loop.start(EVRUN_ONCE)
    spans = [(later - before) / 3600 for before, later in itertools.pairwise(seen)]
    assert spans == hours
    told = [datetime.datetime.fromtimestamp(moment, zone) for moment in seen]
    assert {moment.time() for moment in told} == {datetime.time()}


def test_a_year_of_local_midnights_has_each_day_once(loop, clock, seen):
    zone = zone_named("Europe/Berlin")
    clock.set_wall(datetime.datetime(2023, 12, 31, 23, 59, tzinfo=zone).timestamp())
    loop.scheduler(next_midnight(zone), seen).start()
    while len(seen) < 366:
        loop.start(EVRUN_ONCE)
    days = [datetime.datetime.fromtimestamp(moment, zone).date() for moment in seen]
    first = datetime.date(2024, 1, 1)
    assert days == [first + datetime.timedelta(days=i) for i in range(366)]


# Failing


def test_failing_at_the_start_is_reported_and_stops_the_watcher(loop, clock, seen, reported):
    watcher = loop.scheduler(broken, seen)
    watcher.start()
    stopped_with_a_warning(loop, watcher)
    assert seen == []
    assert [(type(error), thing) for error, thing in reported] == [(ValueError, broken)]


def test_failing_later_is_reported_after_the_call_that_was_due(loop, clock, seen, reported):
    answers = [NOW + 10]
    watcher = loop.scheduler(lambda w, now: answers.pop(), seen)
    watcher.start()
    clock.advance(10.0)
    stopped_with_a_warning(loop, watcher)
    assert seen == [NOW + 10]
    assert [type(error) for error, _ in reported] == [IndexError]
    assert loop.start() is False


def test_failing_when_the_clock_was_set_is_reported(loop, clock, seen, reported):
    watcher = loop.scheduler(every_hour, seen)
    watcher.start()
    watcher.reschedule = broken
    clock.set_wall(NOW + 100.0)
    stopped_with_a_warning(loop, watcher)
    assert len(reported) == 1


WRONG_ANSWERS = [
    (None, TypeError),
    ("12", TypeError),
    ([], TypeError),
    (1j, TypeError),
    (math.nan, ValueError),
    (10**400, OverflowError),
    (NOW - 1.0, Error),
    (0.0, Error),
    (-math.inf, Error),
]


@pytest.mark.parametrize(("answer", "kind"), WRONG_ANSWERS)
def test_answers_that_are_no_such_time_stop_the_watcher(loop, clock, seen, reported, answer, kind):
    watcher = loop.scheduler(lambda w, now: answer, seen)
    watcher.start()
    stopped_with_a_warning(loop, watcher)
    assert [type(error) for error, _ in reported] == [kind]
    assert seen == []


def test_many_that_fail_are_all_reported(loop, clock, reported):
    for _ in range(20):
        loop.scheduler(broken, noop).start()
    with pytest.warns(RuntimeWarning) as warned:
        one_pass(loop)
    assert (len(warned), len(reported)) == (20, 20)
    assert loop.watchers == ()


def test_stopped_in_time_it_still_is_reported(loop, clock, reported):
    watcher = loop.scheduler(broken, noop)
    watcher.start()
    watcher.stop()
    with pytest.warns(RuntimeWarning):
        one_pass(loop)
    assert len(reported) == 1


def test_can_be_started_again_after_it_failed(loop, clock, seen, reported):
    watcher = loop.scheduler(broken, seen)
    watcher.start()
    stopped_with_a_warning(loop, watcher)
    watcher.reschedule = every_hour
    watcher.start()
    while not seen:
        loop.start(EVRUN_ONCE)
    assert seen == [NOW + 3600]


def test_fatal_at_the_start_is_raised_by_loop_start(loop, clock, seen, reported):
    watcher = loop.scheduler(broken_fatally, seen)
    watcher.start()
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="no idea when"):
        loop.start()
    assert not watcher.active
    assert reported == []
    assert loop.start() is False


def test_fatal_later_is_raised_and_nothing_else_is_lost(loop, clock, seen):
    others = Seen()
    watcher = loop.scheduler(lambda w, now: now + 10.0, seen)
    watcher.start()
    loop.periodic(NOW + 9.0, 0.0, others).start()
    loop.timer(10.0, 0.0, lambda w, e: others.append("timer")).start()
    hourly = loop.scheduler(every_hour, noop)
    hourly.start()
    watcher.reschedule = broken_fatally
    clock.advance(10.0)
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="no idea when"):
        loop.start(EVRUN_NOWAIT)
    loop.verify()
    loop.start(EVRUN_NOWAIT)
    assert seen == [NOW + 10]
    assert sorted(map(str, others)) == sorted([str(NOW + 10), "timer"])
    assert loop.watchers == (hourly,)


def test_debug_makes_every_failure_fatal(new_loop):
    loop = new_loop(debug=True)
    loop.scheduler(broken, noop).start()
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError):
        loop.start()


def test_keyboard_interrupt_in_reschedule_is_raised(loop, clock):
    def interrupted(watcher, now):
        raise KeyboardInterrupt

    watcher = loop.scheduler(interrupted, noop)
    with pytest.warns(RuntimeWarning), pytest.raises(KeyboardInterrupt):
        watcher.start()
        loop.start()
    assert not watcher.active


# A reschedule callback that does more than compute


def test_stopping_its_own_watcher_at_the_start(loop, clock, seen):
    def reschedule(watcher, now):
        watcher.stop()
        return now

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    assert not watcher.active
    assert loop.start() is False
    assert seen == []


def test_stopping_its_own_watcher_later(loop, clock, seen):
    answers = [NOW + 1]

    def reschedule(watcher, now):
        if answers:
            return answers.pop()
        watcher.stop()
        return now + 1

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    assert loop.start() is False
    assert not watcher.active and not watcher.pending
    loop.verify()


@pytest.mark.parametrize("name", ["start", "reset"])
def test_restarting_its_own_watcher_is_refused(loop, clock, seen, name):
    errors = []

    def reschedule(watcher, now):
        watcher.stop()
        try:
            getattr(watcher, name)()
        except Error as error:
            errors.append(error)
        return now + 1

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    assert len(errors) == 1
    assert not watcher.active
    one_pass(loop)


def test_an_error_of_reset_is_treated_as_a_failure(loop, clock, reported):
    def reschedule(watcher, now):
        watcher.reset()

    watcher = loop.scheduler(reschedule, noop)
    watcher.start()
    stopped_with_a_warning(loop, watcher)
    assert [type(error) for error, _ in reported] == [Error]


def test_starting_other_watchers(loop, clock, seen):
    others = []

    def reschedule(watcher, now):
        for _ in range(50):
            others.append(loop.scheduler(every_hour, seen))
            others[-1].start()
            loop.timer(1.0, 0.0, noop).start()
            loop.periodic(0.0, 60.0, noop).start()
        loop.verify()
        return now + 1.0

    watcher = loop.scheduler(reschedule, noop)
    watcher.start()
    loop.start(EVRUN_ONCE)
    loop.verify()
    assert len(others) == 100
    assert all(other.active for other in others)
    for other in loop.watchers:
        other.stop()


def test_stopping_others_that_are_due_too(loop, clock, seen):
    watchers = []
    started = []

    def reschedule(watcher, now):
        if started:
            for other in watchers:
                other.stop()
        return NOW + 10.0 if now < NOW + 10.0 else now + 10.0

    watchers += [loop.scheduler(reschedule, seen) for _ in range(10)]
    for watcher in watchers:
        watcher.start()
    started.append(True)
    clock.advance(10.0)
    one_pass(loop)
    assert seen == []
    assert loop.watchers == ()


@pytest.mark.parametrize("later", [False, True])
def test_closing_the_loop(new_loop, seen, later):
    loop = new_loop()
    loop.clock = clock = everloop.ManualClock()

    def reschedule(watcher, now):
        if later and now < NOW + 1:
            return now + 1
        loop.close()
        return now + 1

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    if later:
        clock.advance(1.0)
        loop.start()
    assert loop.closed
    assert not watcher.active
    assert seen == []


@pytest.mark.parametrize("later", [False, True])
def test_starting_the_loop(loop, clock, seen, later):
    def reschedule(watcher, now):
        if not later or now > NOW:
            assert loop.start(EVRUN_NOWAIT) is True
        return now + 1.0

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    for _ in range(3):
        clock.advance(1.0)
        one_pass(loop)
    assert len(seen) == 3
    assert watcher.active
    watcher.stop()
    assert loop.start() is False


def test_setting_the_clock(loop, clock, seen):
    jumps = [NOW + 1e6, NOW + 2e6]

    def reschedule(watcher, now):
        if jumps:
            clock.set_wall(jumps.pop())
            loop.update()
        return loop.now() + 10.0

    watcher = loop.scheduler(reschedule, seen)
    watcher.start()
    one_pass(loop)
    one_pass(loop)
    loop.verify()
    assert watcher.active
    assert watcher.at == loop.now() + 10.0


def test_replacing_itself(loop, clock, seen):
    def first(watcher, now):
        watcher.reschedule = every_hour
        return now + 1.0

    watcher = loop.scheduler(first, seen)
    watcher.start()
    loop.start(EVRUN_ONCE)
    assert watcher.reschedule is every_hour
    assert watcher.at == NOW + 1 + 3600


# Attributes and errors


def test_attributes(loop, clock):
    watcher = loop.scheduler(never, noop, "data", 2)
    assert watcher.reschedule is never
    assert (watcher.at, watcher.data, watcher.priority) == (0.0, "data", 2)
    with pytest.raises(AttributeError):
        watcher.at = 1.0
    with pytest.raises(TypeError):
        del watcher.reschedule


def test_reset_asks_anew_and_starts(loop, clock):
    watcher = loop.scheduler(every_hour, noop)
    watcher.reset()
    assert watcher.active
    clock.advance(60.0)
    loop.update()
    watcher.reset()
    assert watcher.at == NOW + 60 + 3600


@pytest.mark.parametrize("reschedule", [None, 5, "soon"])
def test_what_can_not_be_called_is_refused(loop, reschedule):
    with pytest.raises(TypeError):
        loop.scheduler(reschedule, noop)
    watcher = loop.scheduler(never, noop)
    with pytest.raises(TypeError):
        watcher.reschedule = reschedule
    assert watcher.reschedule is never


def test_coroutine_and_generator_functions_are_refused(loop):
    async def later(watcher, now):
        return now

    def generator(watcher, now):
        yield now

    for function in (later, generator):
        with pytest.raises(TypeError):
            loop.scheduler(function, noop)


def test_of_a_closed_loop_can_not_be_started(new_loop):
    loop = new_loop()
    watcher = loop.scheduler(never, noop)
    loop.close()
    with pytest.raises(Error):
        watcher.start()


def test_the_name_of_reschedule_in_pyev(loop):
    scheduler = loop.scheduler(every_hour, noop)
    assert scheduler.scheduler is every_hour
    scheduler.scheduler = never
    assert scheduler.reschedule is scheduler.scheduler is never
    with pytest.raises(TypeError, match="must be callable"):
        scheduler.scheduler = None
