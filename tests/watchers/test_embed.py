"""Embed: loops inside loops."""

import os
import signal

import pytest

import everloop
from everloop import (
    EV_EMBED,
    EV_READ,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
    EVRUN_NOWAIT,
    Error,
)


def noop(watcher, revents):
    pass


@pytest.fixture
def outer(loop):
    return loop


@pytest.fixture
def inner(new_loop):
    return new_loop()


@pytest.fixture
def ready(pipe):
    """A function that gives a descriptor that is readable."""

    def make():
        r, w = pipe()
        os.write(w, b"x")
        return r

    return make


def passes(loop, count=3):
    for _ in range(count):
        loop.start(EVRUN_NOWAIT)
        loop.verify()


def reads(order, name=None):
    """A callback that reads a byte and remembers."""

    def callback(watcher, revents):
        order.append(name)
        os.read(watcher.fd, 1)

    return callback


# Sweeping


def test_sweeps_by_itself(outer, inner, ready):
    order = []
    inner.io(ready(), EV_READ, reads(order)).start()
    outer.embed(inner).start()
    passes(outer)
    assert len(order) == 1


@pytest.mark.parametrize("what", ["send", "signal"])
def test_tells_what_came_before_it_began(outer, inner, what):
    """When nobody waited for the other loop, so that nothing was written to its eventfd."""
    told = []
    if what == "send":
        watcher = inner.async_(lambda w, e: told.append(e))
    else:
        watcher = inner.signal(signal.SIGUSR1, lambda w, e: told.append(e))
    with watcher:
        inner.start(EVRUN_NOWAIT)
        watcher.send() if what == "send" else everloop.feed_signal(signal.SIGUSR1)
        with outer.embed(inner):
            passes(outer)
    assert len(told) == 1


def test_repr_names_a_callback_if_there_is_one(outer, inner):
    watcher = outer.embed(inner)
    assert repr(watcher) == f"<Embed other={inner!r} stopped>"
    watcher.callback = noop
    assert repr(watcher) == f"<Embed other={inner!r} stopped, calls noop>"


def test_an_event_of_the_inner_loop_ends_the_outer_ones_wait(outer, inner, pipe, when_blocked):
    r, w = pipe()
    inner.io(r, EV_READ, lambda watcher, e: outer.stop()).start()
    outer.embed(inner).start()
    when_blocked(lambda: os.write(w, b"x"))
    assert outer.start() is True


def test_a_descriptor_added_while_embedded_is_watched(outer, inner, ready):
    order = []
    outer.embed(inner).start()
    passes(outer)
    inner.io(ready(), EV_READ, reads(order)).start()
    passes(outer)
    assert len(order) == 1


def test_with_a_callback_nothing_runs_until_sweep(outer, inner, pipe):
    order, called = [], []
    r, w = pipe()
    inner.io(r, EV_READ, reads(order)).start()
    embed = outer.embed(inner, lambda watcher, revents: called.append((watcher, revents)))
    embed.start()
    passes(outer)
    os.write(w, b"x")
    passes(outer, 2)
    assert order == []
    assert called == [(embed, EV_EMBED)] * 2
    embed.sweep()
    assert len(order) == 1
    passes(outer, 2)
    assert len(called) == 2


def test_callback_that_sweeps(outer, inner, ready):
    order = []
    outer.embed(inner, lambda watcher, revents: watcher.sweep()).start()
    inner.io(ready(), EV_READ, reads(order)).start()
    passes(outer)
    assert len(order) == 1


def test_sweep_serves_timers(outer, inner):
    called = []
    inner.timer(0.0, 0.0, lambda w, e: called.append(w)).start()
    embed = outer.embed(inner)
    embed.sweep()
    assert len(called) == 1


def test_stopped_sweeps_no_longer(outer, inner, ready):
    order = []
    embed = outer.embed(inner)
    embed.start()
    passes(outer)
    embed.stop()
    inner.io(ready(), EV_READ, reads(order)).start()
    assert outer.start(EVRUN_NOWAIT) is False
    assert order == []
    embed.start()
    passes(outer)
    assert len(order) == 1


@pytest.mark.parametrize("priority", [-2, -1, 1, 2])
def test_priority_decides_when_the_inner_loop_runs(outer, inner, pipe, priority):
    order = []
    r, w = pipe()
    r2, w2 = pipe()
    inner.io(r, EV_READ, reads(order, "inner")).start()
    outer.io(r2, EV_READ, reads(order, "outer")).start()
    outer.embed(inner, priority=priority).start()
    passes(outer)
    os.write(w, b"x")
    os.write(w2, b"x")
    passes(outer)
    assert order == (["inner", "outer"] if priority > 0 else ["outer", "inner"])


def test_two_loops_in_one(outer, new_loop, ready):
    order = []
    for name in ("first", "second"):
        inner = new_loop()
        inner.io(ready(), EV_READ, reads(order, name)).start()
        outer.embed(inner).start()
    passes(outer)
    assert sorted(order) == ["first", "second"]


def test_keeps_the_outer_loop_running(outer, inner):
    embed = outer.embed(inner)
    assert outer.start(EVRUN_NOWAIT) is False
    embed.start()
    assert outer.start(EVRUN_NOWAIT) is True
    assert outer.watchers == (embed,)


# Nesting and circles


def test_three_loops_nested(new_loop, pipe, when_blocked):
    outer, middle, inner = new_loop(), new_loop(), new_loop()
    r, w = pipe()
    inner.io(r, EV_READ, lambda watcher, e: outer.stop()).start()
    outer.embed(middle).start()
    middle.embed(inner).start()
    passes(outer)
    when_blocked(lambda: os.write(w, b"x"))
    assert outer.start() is True


def test_itself_is_refused(loop):
    with pytest.raises(Error):
        loop.embed(loop)


def test_circles_are_refused(new_loop):
    a, b, c = new_loop(), new_loop(), new_loop()
    a.embed(b).start()
    b.embed(c).start()
    for outer, inner in ((b, a), (c, b), (c, a)):
        with pytest.raises(Error):
            outer.embed(inner)


def test_circles_are_refused_at_the_start_too(new_loop):
    a, b = new_loop(), new_loop()
    there, back = a.embed(b), b.embed(a)
    there.start()
    with pytest.raises(Error):
        back.start()
    assert not back.active
    there.stop()
    back.start()
    passes(b)


@pytest.mark.parametrize("flag", [EVBACKEND_POLL, EVBACKEND_SELECT])
def test_loops_without_a_descriptor_are_refused(new_loop, outer, flag):
    with pytest.raises(Error):
        outer.embed(new_loop(flag))


def test_any_backend_can_embed(new_loop, backend, inner, ready):
    outer = new_loop(backend)
    order = []
    inner.io(ready(), EV_READ, reads(order)).start()
    outer.embed(inner).start()
    passes(outer)
    assert len(order) == 1


# Closing


def test_other_closed_while_embedded_stops_the_watcher(outer, inner):
    embed = outer.embed(inner)
    embed.start()
    passes(outer)
    inner.close()
    assert not embed.active
    assert outer.start() is False
    for function in (embed.start, embed.sweep):
        with pytest.raises(Error):
            function()


def test_other_closed_in_its_own_callback(outer, inner, ready):
    def callback(watcher, revents):
        order.append(watcher.active)
        inner.close()

    order = []
    inner.io(ready(), EV_READ, callback).start()
    embed = outer.embed(inner)
    embed.start()
    passes(outer)
    assert order == [True]
    assert not embed.active


def test_outer_closed_leaves_the_inner_loop_usable(new_loop, inner, ready):
    order = []
    outer = new_loop()
    embed = outer.embed(inner)
    embed.start()
    passes(outer)
    outer.close()
    assert not embed.active
    inner.io(ready(), EV_READ, reads(order)).start()
    passes(inner)
    assert len(order) == 1


# Exceptions


def test_fatal_exception_in_the_inner_loop_stops_the_outer_and_is_raised(outer, inner, ready):
    @everloop.fatal
    def callback(watcher, revents):
        watcher.stop()
        raise ZeroDivisionError

    inner.io(ready(), EV_READ, callback).start()
    embed = outer.embed(inner)
    embed.start()
    with pytest.raises(ZeroDivisionError):
        outer.start()
    assert embed.active
    assert outer.depth == inner.depth == 0


def test_fatal_exception_of_a_blocking_outer_loop(outer, inner, pipe, when_blocked):
    @everloop.fatal
    def callback(watcher, revents):
        os.read(watcher.fd, 1)
        raise ZeroDivisionError

    order = []
    r, w = pipe()
    inner.io(r, EV_READ, callback).start()
    outer.embed(inner).start()
    when_blocked(lambda: os.write(w, b"x"))
    with pytest.raises(ZeroDivisionError):
        outer.start()
    outer.timer(0.0, 0.0, lambda w, e: order.append(w)).start()
    passes(outer)
    assert len(order) == 1


def test_fatal_exception_through_three_loops(new_loop, ready):
    @everloop.fatal
    def callback(watcher, revents):
        watcher.stop()
        raise ZeroDivisionError

    outer, middle, inner = new_loop(), new_loop(), new_loop()
    inner.io(ready(), EV_READ, callback).start()
    middle.embed(inner).start()
    outer.embed(middle).start()
    with pytest.raises(ZeroDivisionError):
        outer.start()


def test_plain_exception_in_the_inner_loop_is_reported(outer, inner, ready, reported):
    def callback(watcher, revents):
        watcher.stop()
        raise ZeroDivisionError

    inner.io(ready(), EV_READ, callback).start()
    outer.embed(inner).start()
    passes(outer)
    assert [type(error) for error, _ in reported] == [ZeroDivisionError]


# Made anew


def test_reset_of_the_inner_loop_is_followed(outer, inner, pipe, when_blocked):
    r, w = pipe()
    inner.io(r, EV_READ, lambda watcher, e: outer.stop()).start()
    outer.embed(inner).start()
    passes(outer)
    inner.reset()
    inner.start(EVRUN_NOWAIT)
    passes(outer)
    when_blocked(lambda: os.write(w, b"x"))
    assert outer.start() is True


def test_reset_of_the_outer_loop_is_followed(outer, inner, pipe, when_blocked):
    r, w = pipe()
    inner.io(r, EV_READ, lambda watcher, e: outer.stop()).start()
    outer.embed(inner).start()
    passes(outer)
    outer.reset()
    passes(outer)
    when_blocked(lambda: os.write(w, b"x"))
    assert outer.start() is True


def test_goes_on_in_a_forked_child_and_in_its_parent(run_program):
    run_program(
        """
        outer, inner = Loop(), Loop()
        r, w = pipe()
        served = []

        def callback(watcher, revents):
            os.read(r, 1)
            served.append(os.getpid())
            outer.stop()

        inner.io(r, EV_READ, callback).start()
        outer.embed(inner).start()
        outer.start(EVRUN_NOWAIT)
        pid = os.fork()
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
        for _ in range(3):
            os.write(w, b"x")
            outer.start()
        assert served == [os.getpid()] * 3
        outer.verify()
        inner.verify()
        if not pid:
            os._exit(0)
        print("parent")
        """,
        "parent",
    )


# Attributes and errors


def test_attributes(outer, inner, new_loop):
    embed = outer.embed(inner, None, "data", 1)
    assert embed.other is inner
    assert (embed.callback, embed.data, embed.priority) == (None, "data", 1)
    embed.callback = noop
    assert embed.callback is noop
    embed.callback = None
    with pytest.raises(TypeError):
        embed.callback = 5
    with pytest.raises(AttributeError):
        embed.other = inner
    third = new_loop()
    embed.set(third)
    assert embed.other is third
    embed.start()
    with pytest.raises(Error):
        embed.set(inner)


@pytest.mark.parametrize("other", [None, 5, "loop"])
def test_what_is_no_loop_is_refused(outer, inner, other):
    with pytest.raises(TypeError):
        outer.embed(other)
    embed = outer.embed(inner)
    with pytest.raises(TypeError):
        embed.set(other)
    assert embed.other is inner


def test_a_closed_loop_is_refused(outer, new_loop):
    closed = new_loop()
    closed.close()
    with pytest.raises(Error):
        outer.embed(closed)


def test_sweep_inside_the_inner_loop(outer, inner, ready):
    order = []

    def callback(watcher, revents):
        order.append(inner.depth)
        if len(order) < 4:
            embed.sweep()
        watcher.stop()

    embed = outer.embed(inner)
    inner.io(ready(), EV_READ, callback).start()
    embed.start()
    outer.start(EVRUN_NOWAIT)
    assert order == [1, 2, 3, 4]
