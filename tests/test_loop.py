"""Loop: what it takes, how it runs and stops, what keeps it running, and how it ends."""

import gc
import math
import operator
import os
import signal
import threading
import time
import weakref

import pytest

import everloop
from everloop import (
    EV_CUSTOM,
    EV_READ,
    EV_SIGNAL,
    EV_WRITE,
    EVBACKEND_EPOLL,
    EVBACKEND_KQUEUE,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
    EVBREAK_ALL,
    EVBREAK_CANCEL,
    EVBREAK_ONE,
    EVFLAG_FORKCHECK,
    EVFLAG_NOENV,
    EVFLAG_NOINOTIFY,
    EVFLAG_NOSIGMASK,
    EVFLAG_NOTIMERFD,
    EVFLAG_SIGNALFD,
    EVRUN_NOWAIT,
    EVRUN_ONCE,
    Error,
    Loop,
)

NOT_INTS = ["4", 4.0, None, b"4", [4]]


def noop(watcher, revents):
    pass


@pytest.fixture
def default():
    """Calls default_loop, having made sure that there is none yet; closes it in the end."""
    everloop.default_loop().close()
    yield everloop.default_loop
    everloop.default_loop().close()


@pytest.fixture
def called():
    return []


@pytest.fixture
def feed(loop, called):
    """Makes something pending that appends name, and then does what it is told to."""

    def make(name, then=lambda: None, priority=0):
        def call(watcher, revents):
            called.append(name)
            then()

        watcher = loop.prepare(call, None, priority)
        watcher.feed(EV_CUSTOM)
        kept.append(watcher)
        return watcher

    kept = []
    return make


# Making


def test_defaults():
    loop = Loop()
    assert loop.callback is None
    assert loop.data is None
    assert loop.io_interval == 0.0
    assert loop.timeout_interval == 0.0
    assert loop.debug is False
    assert loop.default is False
    assert loop.closed is False
    assert (loop.pending, loop.iteration, loop.depth) == (0, 0, 0)
    assert loop.watchers == ()
    loop.close()


def test_arguments_by_position(new_loop):
    loop = new_loop(EVBACKEND_POLL, print, "data", 0.25, 0.5)
    assert loop.backend == EVBACKEND_POLL
    assert loop.callback is print
    assert loop.data == "data"
    assert (loop.io_interval, loop.timeout_interval) == (0.25, 0.5)


def test_arguments_by_keyword(new_loop):
    loop = new_loop(
        debug=True,
        timeout_interval=0.5,
        io_interval=0.25,
        data="data",
        callback=print,
        flags=EVBACKEND_SELECT,
    )
    assert loop.backend == EVBACKEND_SELECT
    assert loop.callback is print
    assert loop.data == "data"
    assert (loop.io_interval, loop.timeout_interval) == (0.25, 0.5)
    assert loop.debug is True


def test_debug_is_a_keyword_only():
    with pytest.raises(TypeError):
        Loop(0, None, None, 0.0, 0.0, True)


@pytest.mark.parametrize("flags", NOT_INTS)
def test_flags_that_are_not_an_int(flags):
    with pytest.raises(TypeError, match="flags"):
        Loop(flags)


@pytest.mark.parametrize("flags", [1 << 16, 1 << 30, -1])
def test_flags_with_unknown_bits(flags):
    with pytest.raises(ValueError, match="flags"):
        Loop(flags)


@pytest.mark.parametrize("flags", [1 << 31, -(1 << 40), 1 << 100])
def test_flags_too_large_for_c(flags):
    with pytest.raises(OverflowError):
        Loop(flags)


def test_backend_that_is_not_there_leaves_nothing_behind():
    with pytest.raises(Error, match="backends"):
        Loop(EVBACKEND_KQUEUE)


async def coroutine_function(loop):
    pass


@pytest.mark.parametrize("callback", [1, "print", object(), coroutine_function])
def test_callback_that_can_not_be_called(callback, loop):
    with pytest.raises(TypeError, match="callback"):
        Loop(callback=callback)
    with pytest.raises(TypeError, match="callback"):
        loop.callback = callback
    assert loop.callback is None


@pytest.mark.parametrize("name", ["io_interval", "timeout_interval"])
@pytest.mark.parametrize("seconds", [-1.0, -1e-9, math.nan, -math.inf])
def test_intervals_out_of_range(loop, name, seconds):
    with pytest.raises(ValueError, match=name):
        Loop(**{name: seconds})
    setattr(loop, name, 0.5)
    with pytest.raises(ValueError, match=name):
        setattr(loop, name, seconds)
    assert getattr(loop, name) == 0.5


@pytest.mark.parametrize("name", ["io_interval", "timeout_interval"])
@pytest.mark.parametrize("seconds", ["1", None, 1j])
def test_intervals_that_are_not_numbers(loop, name, seconds):
    with pytest.raises(TypeError):
        Loop(**{name: seconds})
    with pytest.raises(TypeError):
        setattr(loop, name, seconds)
    assert getattr(loop, name) == 0.0


def test_init_twice_changes_nothing(new_loop):
    loop = new_loop(EVBACKEND_POLL, data="data")
    with pytest.raises(Error, match="twice"):
        loop.__init__(EVBACKEND_SELECT)
    assert loop.backend == EVBACKEND_POLL
    assert loop.data == "data"


@pytest.mark.parametrize(
    "flag",
    [EVFLAG_FORKCHECK, EVFLAG_NOINOTIFY, EVFLAG_SIGNALFD, EVFLAG_NOSIGMASK, EVFLAG_NOTIMERFD],
)
def test_flags_without_a_backend_leave_the_choice_to_the_loop(new_loop, flag):
    assert new_loop(flag).backend == EVBACKEND_EPOLL
    assert new_loop(flag | EVBACKEND_POLL).backend == EVBACKEND_POLL


def test_environment_replaces_all_flags(new_loop, monkeypatch):
    monkeypatch.setenv("LIBEV_FLAGS", str(EVFLAG_FORKCHECK))
    assert new_loop(EVBACKEND_SELECT).backend == EVBACKEND_EPOLL
    assert new_loop(EVBACKEND_SELECT | EVFLAG_NOENV).backend == EVBACKEND_SELECT


@pytest.mark.parametrize("text", ["x", "4.0", "-4", str(1 << 16), str(1 << 30), str(1 << 40)])
def test_bad_value_in_the_environment_is_ignored_with_a_warning(new_loop, monkeypatch, text):
    monkeypatch.setenv("LIBEV_FLAGS", text)
    with pytest.warns(RuntimeWarning, match="LIBEV_FLAGS"):
        loop = new_loop(EVBACKEND_SELECT)
    assert loop.backend == EVBACKEND_SELECT
    assert new_loop(EVBACKEND_SELECT | EVFLAG_NOENV).backend == EVBACKEND_SELECT


def test_backend_in_the_environment_that_is_not_there(monkeypatch):
    monkeypatch.setenv("LIBEV_FLAGS", str(EVBACKEND_KQUEUE))
    with pytest.raises(Error):
        Loop(EVBACKEND_POLL)


def test_bad_flags_are_refused_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("LIBEV_FLAGS", str(EVBACKEND_POLL))
    with pytest.raises(ValueError, match="flags"):
        Loop(1 << 16)


def test_abi_version():
    assert everloop.abi_version() == (4, 33)


# The default loop


def test_default_loop_is_the_same_each_time(default):
    loop = default()
    assert loop.default is True
    assert default() is loop


def test_default_loop_takes_the_arguments_of_loop(default):
    loop = default(EVBACKEND_POLL, data="data", debug=True)
    assert loop.backend == EVBACKEND_POLL
    assert loop.data == "data"
    assert loop.debug is True


@pytest.mark.parametrize("kwargs", [{"flags": 0}, {"data": 1}, {"debug": False}])
def test_arguments_that_come_too_late_for_the_default_loop(default, kwargs):
    loop = default(EVBACKEND_POLL)
    with pytest.warns(RuntimeWarning, match="default loop"):
        assert default(**kwargs) is loop
    assert loop.backend == EVBACKEND_POLL
    assert loop.data is None


def test_default_loop_after_close_is_a_new_one(default):
    old = default()
    old.close()
    new = default(EVBACKEND_SELECT)
    assert new is not old
    assert new.default is True
    assert new.backend == EVBACKEND_SELECT


def test_default_loop_that_can_not_be_made_is_not_remembered(default):
    with pytest.raises(ValueError, match="flags"):
        default(1 << 16)
    assert default(EVBACKEND_POLL).backend == EVBACKEND_POLL


def test_other_loops_are_not_the_default(default, new_loop):
    other = new_loop()
    assert default() is not other
    assert other.default is False


# Running


@pytest.mark.parametrize("flags", NOT_INTS)
def test_start_flags_that_are_not_an_int(loop, flags):
    with pytest.raises(TypeError, match="flags"):
        loop.start(flags)


@pytest.mark.parametrize("flags", [4, 8, -1, EVRUN_NOWAIT | 16])
def test_start_flags_that_are_unknown(loop, flags):
    with pytest.raises(ValueError, match="flags"):
        loop.start(flags)
    assert loop.depth == 0


def test_start_flags_too_large_for_c(loop):
    with pytest.raises(OverflowError):
        loop.start(1 << 31)


@pytest.mark.parametrize("flags", [0, EVRUN_NOWAIT, EVRUN_ONCE])
def test_start_without_watchers_makes_one_pass(loop, flags):
    assert loop.start(flags) is False
    assert loop.iteration == 1


def test_start_runs_until_no_watcher_is_left(loop, clock, called):
    for seconds in (3.0, 1.0, 2.0):
        loop.timer(seconds, 0.0, lambda w, e: called.append(w.data), seconds).start()
    assert loop.start() is False
    assert called == [1.0, 2.0, 3.0]


def test_nowait_makes_one_pass_and_does_not_block(loop, clock, called):
    loop.timer(1.0, 0.0, lambda w, e: called.append(w)).start()
    before = loop.now()
    assert loop.start(EVRUN_NOWAIT) is True
    assert called == []
    assert loop.now() == before
    assert loop.iteration == 1


def test_once_makes_one_pass_and_blocks(loop, clock, called):
    for seconds in (1.0, 2.0):
        loop.timer(seconds, 0.0, lambda w, e: called.append(w.data), seconds).start()
    assert loop.start(EVRUN_ONCE) is True
    assert called == [1.0]
    assert loop.start(EVRUN_ONCE) is False
    assert called == [1.0, 2.0]


def test_iteration_counts_passes(loop):
    idle = loop.idle(lambda w, e: loop.iteration == 7 and w.stop())
    idle.start()
    loop.start()
    assert loop.iteration == 7


def test_depth_counts_nested_starts(loop, feed):
    depths = []

    def nest():
        depths.append(loop.depth)
        feed("inner", lambda: depths.append(loop.depth))
        loop.start(EVRUN_NOWAIT)
        depths.append(loop.depth)

    feed("outer", nest)
    loop.start(EVRUN_NOWAIT)
    assert depths == [1, 2, 1]
    assert loop.depth == 0


def test_nested_start_runs_what_is_pending(loop, feed, called):
    feed("last")
    feed("first", lambda: loop.start(EVRUN_NOWAIT) or called.append("back"))
    loop.start(EVRUN_NOWAIT)
    assert called == ["first", "last", "back"]


def test_nested_start_waits_for_its_own_events(loop, clock, called):
    def outer(watcher, revents):
        loop.timer(1.0, 0.0, lambda w, e: (called.append("inner"), loop.stop())).start()
        assert loop.start() is True
        called.append("outer")

    loop.timer(1.0, 0.0, outer).start()
    loop.timer(10.0, 0.0, lambda w, e: called.append("late")).start()
    assert loop.start() is False
    assert called == ["inner", "outer", "late"]


def test_start_in_a_second_thread_is_an_error(loop, when_blocked):
    wake = loop.async_(lambda w, e: loop.stop())
    wake.start()
    caught = []

    def start():
        try:
            loop.start()
        except Error as error:
            caught.append(str(error))
        wake.send()

    when_blocked(start)
    assert loop.start() is True
    assert len(caught) == 1
    assert "another thread" in caught[0]


def test_another_thread_may_run_the_loop_afterwards(loop, feed, called):
    loop.start(EVRUN_NOWAIT)
    feed("there")
    thread = threading.Thread(target=loop.start)
    thread.start()
    thread.join()
    assert called == ["there"]


def test_invoke_runs_what_is_pending_and_makes_no_pass(loop, feed, called):
    feed("a")
    feed("b", priority=1)
    assert loop.pending == 2
    loop.invoke()
    assert called == ["b", "a"]
    assert loop.pending == 0
    assert loop.iteration == 0


# Stopping


@pytest.mark.parametrize("how", NOT_INTS)
def test_stop_with_what_is_not_an_int(loop, how):
    with pytest.raises(TypeError, match="how"):
        loop.stop(how)


@pytest.mark.parametrize("how", [-1, 3, 4, 1 << 20])
def test_stop_with_an_unknown_value(loop, how):
    with pytest.raises(ValueError, match="how"):
        loop.stop(how)


def test_stop_lets_pending_callbacks_run_first(loop, feed, called):
    loop.idle(noop).start()
    feed("b")
    feed("a", loop.stop)
    assert loop.start() is True
    assert called == ["a", "b"]


def test_stop_by_what_was_pending_before_the_first_pass_lets_prepares_run(loop, called):
    def called_by(name):
        return lambda watcher, revents: called.append(name)

    loop.prepare(called_by("prepare")).start()
    loop.check(called_by("check")).start()
    stopping = loop.timer(0.0, 0.0, lambda watcher, revents: loop.stop())
    stopping.feed(EV_CUSTOM)
    loop.start()
    assert called == ["prepare"]


def test_a_loop_closed_by_what_was_pending_before_the_first_pass(loop, called):
    loop.fork(lambda watcher, revents: called.append("fork")).start()
    loop.prepare(lambda watcher, revents: called.append("prepare")).start()
    closing = loop.timer(0.0, 0.0, lambda watcher, revents: loop.close())
    closing.feed(EV_CUSTOM)
    loop.reset()
    assert loop.start() is False
    assert called == []


def test_stop_before_start_has_no_effect(loop, clock, called):
    loop.timer(1.0, 0.0, lambda w, e: called.append(w)).start()
    loop.stop()
    assert loop.start() is False
    assert len(called) == 1


@pytest.mark.parametrize("how", [EVBREAK_ONE, EVBREAK_ALL])
def test_cancel_takes_back_a_stop(loop, how):
    counted = []

    def count(watcher, revents):
        counted.append(watcher)
        loop.stop(how)
        if len(counted) < 3:
            loop.stop(EVBREAK_CANCEL)

    loop.idle(count).start()
    assert loop.start() is True
    assert len(counted) == 3


@pytest.mark.parametrize(
    ("how", "expected"),
    [(EVBREAK_ONE, ["inner", "middle", "outer"]), (EVBREAK_ALL, ["inner"])],
)
def test_stop_leaves_the_innermost_start_or_all(loop, called, how, expected):
    idle = loop.idle(noop)
    depth = 0

    def nest(watcher, revents):
        nonlocal depth
        depth += 1
        if depth < 3:
            loop.start()
        elif depth == 3:
            called.append("inner")
            loop.stop(how)
        elif depth == 4:
            called.append("middle")
            loop.stop(how)
        elif depth == 5:
            called.append("outer")
            loop.stop(how)

    idle.callback = nest
    idle.start()
    assert loop.start() is True
    assert called == expected
    assert loop.depth == 0


def test_stop_by_another_thread(loop, when_blocked):
    loop.async_(noop).start()
    when_blocked(loop.stop)
    assert loop.start() is True


# References


def test_unref_lets_the_loop_end_with_the_watcher_active(loop, clock):
    timer = loop.timer(5.0, 0.0, noop)
    timer.start()
    loop.unref()
    assert loop.start() is False
    assert timer.active
    loop.ref()
    assert loop.start() is False
    assert not timer.active


def test_ref_keeps_the_loop_running_without_watchers(loop):
    loop.ref()
    assert loop.start(EVRUN_NOWAIT) is True
    loop.unref()
    assert loop.start(EVRUN_NOWAIT) is False


def test_incref_and_decref_are_the_same(loop):
    loop.incref()
    loop.unref()
    loop.ref()
    assert loop.start(EVRUN_NOWAIT) is True
    loop.decref()
    assert loop.start() is False


def test_too_many_unrefs_end_the_loop_and_can_be_made_good(loop, clock, called):
    for _ in range(3):
        loop.unref()
    loop.timer(1.0, 0.0, lambda w, e: called.append(w)).start()
    assert loop.start() is False
    assert called == []
    loop.verify()
    for _ in range(3):
        loop.ref()
    assert loop.start() is False
    assert len(called) == 1


def test_too_many_refs_do_not_keep_stop_from_working(loop, clock):
    for _ in range(3):
        loop.ref()
    loop.timer(1.0, 0.0, lambda w, e: loop.stop()).start()
    assert loop.start() is True


# Time


def test_now_stays_the_same_until_update(loop, clock):
    before = loop.now()
    clock.advance(5.0)
    assert loop.now() == before
    loop.update()
    assert loop.now() == before + 5.0


def test_timers_do_not_count_the_time_of_a_suspension(loop, clock):
    timer = loop.timer(5.0, 0.0, noop)
    timer.start()
    clock.advance(1.0)
    loop.suspend()
    clock.advance(100.0)
    loop.resume()
    assert timer.remaining == pytest.approx(4.0)
    loop.verify()


def test_second_suspend_does_not_count(loop, clock):
    timer = loop.timer(5.0, 0.0, noop)
    timer.start()
    loop.suspend()
    clock.advance(10.0)
    loop.suspend()
    clock.advance(10.0)
    loop.resume()
    assert timer.remaining == pytest.approx(5.0)


def test_resume_without_suspend_changes_nothing(loop, clock):
    timer = loop.timer(5.0, 0.0, noop)
    timer.start()
    clock.advance(2.0)
    loop.resume()
    assert timer.remaining == pytest.approx(3.0)
    loop.suspend()
    clock.advance(1.0)
    loop.resume()
    loop.resume()
    assert timer.remaining == pytest.approx(3.0)


def test_io_interval_passes_between_looks_at_descriptors(loop, clock, pipe):
    r, w = pipe()
    os.write(w, b"x")
    times = []

    def read(watcher, revents):
        times.append(round(loop.now() - begin, 6))
        if len(times) == 3:
            loop.stop()

    loop.io(r, EV_READ, read).start()
    begin = loop.now()
    loop.start()
    assert times == [0.0, 0.0, 0.0]
    times.clear()
    loop.io_interval = 2.0
    loop.start()
    assert times == [2.0, 4.0, 6.0]


def test_io_interval_after_wake_ups(new_loop, pipe, backend):
    """One wake-up ends one wait, not those after it as well."""
    reading, writing = pipe()
    loop = new_loop(backend)
    os.write(writing, b"x")
    loop.io(reading, EV_READ, lambda *_: None).start()
    woken = loop.async_(lambda *_: setattr(loop, "io_interval", 0.02))
    woken.start()
    sender = threading.Timer(0.01, woken.send)
    loop.timer(0.3, 0, lambda *_: loop.stop()).start()
    woken.send()
    loop.start(EVRUN_NOWAIT)
    sender.start()
    before = loop.iteration
    loop.start()
    sender.join()
    assert loop.iteration - before < 30


def test_io_interval_does_not_make_timers_late(loop, clock):
    loop.io_interval = 10.0
    begin = loop.now()
    times = []
    loop.timer(1.0, 0.0, lambda w, e: times.append(round(loop.now() - begin, 6))).start()
    loop.start()
    assert times == [1.0]


def test_timeout_interval_serves_several_timers_at_once(loop, clock):
    loop.timeout_interval = 5.0
    begin = loop.now()
    fired = []
    for seconds in (1.0, 2.0, 20.0):
        loop.timer(seconds, 0.0, lambda w, e: fired.append(round(loop.now() - begin, 6))).start()
    loop.start()
    assert fired == [5.0, 5.0, 20.0]
    assert loop.iteration == 2


# The loop's own callback


def test_callback_is_called_instead_of_what_is_pending(loop, feed, called):
    loop.callback = lambda caller: called.append(caller)
    feed("fed")
    loop.start(EVRUN_NOWAIT)
    assert set(called) == {loop}
    assert loop.pending == 1
    loop.callback = None
    loop.start(EVRUN_NOWAIT)
    assert called[-1] == "fed"
    assert loop.pending == 0


def test_callback_calls_invoke(loop, feed, called):
    loop.callback = Loop.invoke
    feed("fed")
    loop.start(EVRUN_NOWAIT)
    assert called == ["fed"]
    assert loop.pending == 0


def test_exception_in_the_loops_callback_is_raised(loop, feed, called):
    def fail(caller):
        raise ZeroDivisionError

    loop.callback = fail
    feed("fed")
    with pytest.raises(ZeroDivisionError):
        loop.start()
    assert loop.depth == 0
    loop.callback = None
    loop.start(EVRUN_NOWAIT)
    assert called == ["fed"]


def test_with_a_callback_exceptions_of_watchers_are_raised(loop, feed):
    loop.callback = Loop.invoke
    feed("fed", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.start()


# Events from elsewhere


def test_fed_descriptor_events_reach_those_who_ask_for_them(loop, pipe, called):
    r, w = pipe()
    reader = loop.io(r, EV_READ, lambda *args: called.append(args))
    both = loop.io(r, EV_READ | EV_WRITE, lambda *args: called.append(args))
    other = loop.io(w, EV_READ, lambda *args: called.append(args))
    for watcher in (reader, both, other):
        watcher.start()
    loop.feed_fd_event(r, EV_WRITE)
    loop.invoke()
    assert called == [(both, EV_WRITE)]
    called.clear()
    loop.feed_fd_event(r, EV_READ | EV_WRITE)
    loop.invoke()
    assert set(called) == {(reader, EV_READ), (both, EV_READ | EV_WRITE)}


def test_fed_descriptor_events_of_a_number_that_is_not_open(loop, called):
    fd = 1_000_000
    readers = [loop.io(fd, EV_READ, lambda *args: called.append(args)) for _ in range(2)]
    writer = loop.io(fd, EV_WRITE, lambda *args: called.append(args))
    for watcher in (*readers, writer):
        watcher.start()
    loop.feed_fd_event(fd, EV_READ)
    loop.feed_fd_event(fd + 1, EV_WRITE)
    loop.verify()
    loop.invoke()
    assert called == [(readers[0], EV_READ), (readers[1], EV_READ)]
    writer.stop()
    loop.feed_fd_event(fd, EV_WRITE)
    assert loop.pending == 0


def test_fed_descriptor_events_of_nobody_are_ignored(loop, pipe):
    r, w = pipe()
    loop.io(r, EV_READ, noop).start()
    for fd in (w, 63, 64, 1000000, (1 << 31) - 1):
        loop.feed_fd_event(fd, EV_READ)
    loop.feed_fd_event(r, 0)
    assert loop.pending == 0
    loop.verify()


def test_bad_arguments_of_feed_fd_event(loop):
    with pytest.raises(ValueError, match="fd"):
        loop.feed_fd_event(-1, EV_READ)
    with pytest.raises(OverflowError):
        loop.feed_fd_event(1 << 31, EV_READ)
    with pytest.raises(TypeError):
        loop.feed_fd_event("0", EV_READ)
    with pytest.raises(TypeError):
        loop.feed_fd_event(0, "1")


def test_fed_signal_event_reaches_this_loop_only(loop, called):
    watchers = [loop.signal(signal.SIGUSR1, lambda *args: called.append(args)) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    loop.feed_signal_event(signal.SIGUSR2)
    loop.invoke()
    assert called == []
    loop.feed_signal_event(signal.SIGUSR1)
    loop.invoke()
    assert set(called) == {(watcher, EV_SIGNAL) for watcher in watchers}


@pytest.mark.parametrize("signum", [0, -1, 65, 1 << 20])
def test_fed_signal_event_that_is_no_signal(loop, signum):
    with pytest.raises(ValueError, match="sig"):
        loop.feed_signal_event(signum)


# Watchers


def test_watchers_in_the_order_of_starting(loop):
    a, b, c = (loop.idle(noop), loop.timer(1.0, 0.0, noop), loop.async_(noop))
    for watcher in (b, c, a):
        watcher.start()
    assert loop.watchers == (b, c, a)
    b.stop()
    assert loop.watchers == (c, a)
    b.start()
    assert loop.watchers == (c, a, b)


def test_what_is_only_pending_is_not_among_the_watchers(loop, feed):
    feed("fed")
    assert loop.watchers == ()


def test_watchers_of_the_loop_itself_are_not_among_the_watchers(loop, tmp_path):
    watchers = (
        loop.async_(noop),
        loop.periodic(0.0, 60.0, noop),
        loop.stat(tmp_path, 0.0, noop),
        loop.signal(signal.SIGUSR1, noop),
    )
    for watcher in watchers:
        watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert loop.watchers == watchers


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("io", everloop.Io, {"fd": 0, "events": EV_READ}),
        ("timer", everloop.Timer, {"after": 1.0, "repeat": 2.0}),
        ("periodic", everloop.Periodic, {"offset": 1.0, "interval": 2.0}),
        ("scheduler", everloop.Scheduler, {"reschedule": lambda w, now: now + 60.0}),
        ("signal", everloop.Signal, {"signum": signal.SIGUSR1}),
        ("child", everloop.Child, {"pid": 1, "trace": False}),
        ("stat", everloop.Stat, {"path": "/", "interval": 0.0}),
        ("idle", everloop.Idle, {}),
        ("prepare", everloop.Prepare, {}),
        ("check", everloop.Check, {}),
        ("fork", everloop.Fork, {}),
        ("async_", everloop.Async, {}),
        ("async", everloop.Async, {}),
    ],
)
def test_methods_that_make_watchers(loop, name, kind, arguments):
    make = getattr(loop, name)
    common = {"callback": noop, "data": "data", "priority": 2}
    for watcher in (
        make(**arguments, **common),
        make(*arguments.values(), *common.values()),
        make(*arguments.values(), noop, priority=2, data="data"),
    ):
        assert type(watcher) is kind
        assert watcher.loop is loop
        assert watcher.callback is noop
        assert watcher.data == "data"
        assert watcher.priority == 2
    plain = make(*arguments.values(), noop)
    assert (plain.data, plain.priority) == (None, 0)
    with pytest.raises(TypeError):
        make(*arguments.values())


def test_method_that_makes_embed_watchers(loop, new_loop):
    other = new_loop()
    watcher = loop.embed(other, noop, data="data", priority=1)
    assert type(watcher) is everloop.Embed
    assert watcher.loop is loop
    assert watcher.other is other
    assert loop.embed(other=other).callback is None


def test_verify_of_a_busy_loop(loop, pipe, tmp_path):
    r, w = pipe()
    for watcher in (
        loop.io(r, EV_READ, noop),
        loop.timer(1.0, 0.0, noop),
        loop.periodic(0.0, 1.0, noop),
        loop.stat(tmp_path, 0.0, noop),
        *(loop.idle(noop, None, priority) for priority in range(-2, 3)),
        loop.prepare(noop),
        loop.check(noop),
        loop.fork(noop),
        loop.async_(noop),
    ):
        watcher.start()
        assert loop.verify() is None
        loop.start(EVRUN_NOWAIT)
        assert loop.verify() is None
    assert loop.start(EVRUN_NOWAIT) is True


# Exceptions


def test_exception_is_reported_and_the_loop_goes_on(loop, feed, called, reported):
    feed("second")
    watcher = feed("first", lambda: 1 / 0)
    loop.start(EVRUN_NOWAIT)
    assert called == ["first", "second"]
    ((error, culprit),) = reported
    assert type(error) is ZeroDivisionError
    assert culprit is watcher.callback


def test_debug_raises_every_exception(loop, feed, called):
    loop.debug = True
    feed("second")
    feed("first", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.start()
    assert called == ["first"]
    assert loop.pending == 1
    loop.start(EVRUN_NOWAIT)
    assert called == ["first", "second"]


def test_debug_can_be_taken_back(new_loop, reported):
    loop = new_loop(debug=True)
    loop.debug = False
    watcher = loop.prepare(lambda w, e: 1 / 0)
    watcher.feed(EV_CUSTOM)
    loop.start(EVRUN_NOWAIT)
    assert len(reported) == 1


def test_fatal_returns_the_callback_itself():
    def callback(watcher, revents):
        pass

    assert everloop.fatal(callback) is callback
    assert callback.__err_fatal__ is True


def test_fatal_needs_a_callable_that_takes_attributes(loop):
    for callback in (print, loop.stop):
        with pytest.raises(AttributeError):
            everloop.fatal(callback)


def test_fatal_callback_stops_the_loop(loop, feed, called):
    @everloop.fatal
    def fail(watcher, revents):
        raise ZeroDivisionError

    feed("later")
    watcher = loop.prepare(fail)
    watcher.feed(EV_CUSTOM)
    with pytest.raises(ZeroDivisionError):
        loop.start()
    assert called == []
    loop.start(EVRUN_NOWAIT)
    assert called == ["later"]


def test_fatal_method(loop):
    class Handler:
        @everloop.fatal
        def handle(self, watcher, revents):
            raise ZeroDivisionError

    watcher = loop.prepare(Handler().handle)
    watcher.feed(EV_CUSTOM)
    with pytest.raises(ZeroDivisionError):
        loop.start()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_base_exceptions_are_always_raised(loop, feed, kind):
    def fail():
        raise kind

    feed("fed", fail)
    with pytest.raises(kind):
        loop.start()
    assert loop.depth == 0


def test_fatal_exception_ends_nested_starts_that_let_it_pass(loop, feed, called):
    loop.debug = True

    def nest():
        feed("inner", lambda: 1 / 0)
        loop.start()

    feed("outer", nest)
    with pytest.raises(ZeroDivisionError):
        loop.start()
    assert called == ["outer", "inner"]
    assert loop.depth == 0


# The end


@pytest.mark.parametrize(
    "use",
    [
        lambda loop: loop.start(),
        lambda loop: loop.start(EVRUN_NOWAIT),
        lambda loop: loop.invoke(),
        lambda loop: loop.reset(),
        lambda loop: loop.verify(),
        lambda loop: loop.feed_fd_event(0, EV_READ),
        lambda loop: loop.feed_signal_event(signal.SIGUSR1),
        lambda loop: loop.__enter__(),
        lambda loop: loop.io(0, EV_READ, noop),
        lambda loop: loop.timer(1.0, 0.0, noop),
        lambda loop: loop.periodic(1.0, 0.0, noop),
        lambda loop: loop.scheduler(lambda w, now: now + 1.0, noop),
        lambda loop: loop.signal(signal.SIGUSR1, noop),
        lambda loop: loop.child(1, False, noop),
        lambda loop: loop.stat("/", 0.0, noop),
        lambda loop: loop.idle(noop),
        lambda loop: loop.prepare(noop),
        lambda loop: loop.check(noop),
        lambda loop: loop.fork(noop),
        lambda loop: loop.async_(noop),
        lambda loop: everloop.Timer(1.0, 0.0, loop, noop),
    ],
)
def test_use_after_close_is_an_error(loop, use):
    loop.close()
    with pytest.raises(Error, match="closed"):
        use(loop)


def test_what_can_still_be_asked_after_close(loop):
    timer = loop.timer(1.0, 0.0, noop)
    timer.start()
    loop.close()
    assert loop.closed is True
    assert loop.watchers == ()
    assert (loop.pending, loop.depth) == (0, 0)
    assert repr(loop) == "<Loop closed>"
    loop.stop()
    loop.close()
    assert loop.closed is True


def test_close_stops_all_watchers_and_forgets_what_is_pending(loop, feed, called, pipe):
    r, w = pipe()
    watchers = [loop.io(r, EV_READ, noop), loop.timer(1.0, 1.0, noop), loop.async_(noop)]
    for watcher in watchers:
        watcher.start()
        watcher.feed(EV_CUSTOM)
    fed = feed("fed")
    loop.close()
    assert not any(watcher.active or watcher.pending for watcher in (*watchers, fed))
    assert called == []
    for watcher in watchers:
        watcher.stop()
        assert watcher.clear() == 0


def test_close_in_a_callback_makes_start_return(loop, feed, called):
    feed("never")
    feed("closes", loop.close)
    loop.idle(noop).start()
    assert loop.start() is False
    assert loop.closed
    assert called == ["closes"]


@pytest.mark.parametrize("kind", ["prepare", "check", "idle", "fork"])
def test_close_in_a_callback_of_a_phase(loop, kind):
    loop.timer(0.0, 0.0, noop).start()
    watcher = getattr(loop, kind)(lambda w, e: loop.close())
    watcher.start()
    loop.reset()
    assert loop.start() is False
    assert loop.closed
    assert not watcher.active


def test_close_in_a_nested_start_ends_all(loop, feed, called):
    def nest():
        feed("inner", loop.close)
        assert loop.start() is False
        called.append("back")

    feed("never")
    feed("outer", nest)
    assert loop.start() is False
    assert called == ["outer", "inner", "back"]


def test_close_in_the_loops_own_callback(loop):
    loop.callback = Loop.close
    loop.idle(noop).start()
    assert loop.start() is False
    assert loop.closed


def test_close_while_suspended(loop, clock):
    loop.timer(1.0, 0.0, noop).start()
    loop.suspend()
    loop.close()
    assert loop.closed


def test_close_after_an_exception(new_loop):
    loop = new_loop(debug=True)
    watcher = loop.idle(lambda w, e: 1 / 0)
    watcher.start()
    with pytest.raises(ZeroDivisionError):
        loop.start()
    loop.close()
    assert not watcher.active


def test_close_of_a_loop_that_another_thread_runs_is_an_error(loop, when_blocked):
    wake = loop.async_(lambda w, e: loop.stop())
    wake.start()
    caught = []

    def close():
        try:
            loop.close()
        except Error as error:
            caught.append(str(error))
        wake.send()

    when_blocked(close)
    assert loop.start() is True
    assert len(caught) == 1
    assert not loop.closed


def test_close_by_another_thread_once_it_does_not_run(loop):
    loop.async_(noop).start()
    loop.start(EVRUN_NOWAIT)
    thread = threading.Thread(target=loop.close)
    thread.start()
    thread.join()
    assert loop.closed


def test_close_of_a_loop_that_was_never_made():
    loop = Loop.__new__(Loop)
    loop.close()
    assert loop.closed
    with pytest.raises(Error):
        loop.start()


def test_context_manager_closes():
    with Loop() as loop:
        loop.timer(1.0, 0.0, noop).start()
        assert not loop.closed
    assert loop.closed


def test_context_manager_closes_after_an_exception():
    with pytest.raises(ZeroDivisionError), Loop() as loop:
        1 / 0
    assert loop.closed


def test_context_manager_does_not_mind_a_closed_loop():
    with Loop() as loop:
        loop.close()
    assert loop.closed


# As a Python object


def test_subclass_with_attributes_and_methods_of_its_own(called):
    class Named(Loop):
        def __init__(self, name, **kwargs):
            super().__init__(EVBACKEND_POLL, **kwargs)
            self.name = name

        def close(self):
            called.append(self.name)
            super().close()

    with Named("mine", data=1) as loop:
        assert loop.backend == EVBACKEND_POLL
        assert loop.data == 1
        assert loop.name == "mine"
        assert loop.idle(noop).loop is loop
        assert repr(loop).startswith("<Named ")
    assert called == ["mine"]
    assert loop.closed


def test_subclass_that_forgets_to_make_its_loop():
    class Forgetful(Loop):
        def __init__(self):
            pass

    loop = Forgetful()
    for use in (loop.start, loop.invoke, loop.verify, loop.reset):
        with pytest.raises(Error, match="__init__"):
            use()
    with pytest.raises(Error, match="__init__"):
        loop.idle(noop)
    assert repr(loop) == "<Forgetful not made>"


def test_weak_reference():
    loop = Loop()
    reference = weakref.ref(loop)
    assert reference() is loop
    del loop
    gc.collect()
    assert reference() is None


def test_loop_with_active_watchers_is_collected():
    loop = Loop()
    loop.timer(1.0, 0.0, noop, loop).start()
    loop.data = loop
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None


def test_repr(new_loop, backend):
    loop = new_loop(backend)
    name = {EVBACKEND_EPOLL: "epoll", EVBACKEND_POLL: "poll", EVBACKEND_SELECT: "select"}[backend]
    assert repr(loop) == f"<Loop stopped, {name}, 0 active, 0 pending>"
    seen = []
    watcher = loop.idle(lambda w, e: seen.append(repr(loop)))
    watcher.start()
    watcher.feed(EV_CUSTOM)
    assert repr(loop) == f"<Loop stopped, {name}, 1 active, 1 pending>"
    loop.start(EVRUN_NOWAIT)
    assert seen[0] == f"<Loop running, {name}, 1 active, 0 pending>"


@pytest.mark.parametrize(
    "name", ["default", "backend", "pending", "iteration", "depth", "closed", "watchers"]
)
def test_read_only_attributes(loop, name):
    before = getattr(loop, name)
    with pytest.raises(AttributeError):
        setattr(loop, name, before)
    with pytest.raises((AttributeError, TypeError)):
        delattr(loop, name)
    assert getattr(loop, name) == before


@pytest.mark.parametrize(
    "name", ["callback", "data", "io_interval", "timeout_interval", "debug", "clock"]
)
def test_settable_attributes_can_not_be_deleted(loop, name):
    before = getattr(loop, name)
    with pytest.raises(TypeError, match=name):
        delattr(loop, name)
    assert getattr(loop, name) == before


def test_unknown_attributes(loop):
    with pytest.raises(AttributeError):
        loop.nonsense
    with pytest.raises(AttributeError):
        loop.nonsense = 1
    with pytest.raises(AttributeError):
        del loop.nonsense


def test_data_that_uses_the_loop_when_it_goes(loop):
    class Old:
        def __del__(self):
            seen.append(loop.data)

    seen = []
    loop.data = Old()
    loop.data = "new"
    assert seen == ["new"]


def test_callback_that_uses_the_loop_when_it_goes(loop):
    class Old:
        def __call__(self, caller):
            pass

        def __del__(self):
            seen.append(loop.callback)

    seen = []
    loop.callback = Old()
    loop.callback = Loop.invoke
    assert seen == [Loop.invoke]


def test_threads_run_beside_a_loop_that_is_always_busy(loop):
    """Even if all callbacks are of C, between which CPython hands the GIL to nobody."""

    def end():
        time.sleep(0.05)
        loop.stop()

    idle = loop.idle(operator.is_)
    idle.start()
    thread = threading.Thread(target=end)
    thread.start()
    loop.start()
    thread.join()


# Names of pyev's


@pytest.mark.parametrize("kind", [everloop.Loop, everloop.EventLoop])
def test_loop_and_unloop_are_start_and_stop(kind):
    with kind() as loop:
        called = []
        loop.timer(0.0, 0.0, lambda timer, revents: (called.append(1), loop.unloop())).start()
        loop.timer(1000.0, 0.0, lambda timer, revents: None).start()
        assert loop.loop() is True
        assert loop.loop(everloop.EVLOOP_NONBLOCK) is True
        assert called == [1]
        with pytest.raises(ValueError, match="how must be"):
            loop.unloop(7)


def test_old_constants_are_those_of_today():
    assert everloop.EVLOOP_NONBLOCK == everloop.EVRUN_NOWAIT
    assert everloop.EVLOOP_ONESHOT == everloop.EVRUN_ONCE
    for name in ("CANCEL", "ONE", "ALL"):
        assert getattr(everloop, f"EVUNLOOP_{name}") == getattr(everloop, f"EVBREAK_{name}")


def test_version():
    assert everloop.version() == (everloop.__version__, "4.33")
    assert everloop.version()[1] == ".".join(map(str, everloop.abi_version()))
