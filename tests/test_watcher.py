"""What the watchers of every kind share."""

import functools
import gc
import weakref

import pytest

import everloop
from everloop import (
    EV_CUSTOM,
    EV_READ,
    EV_TIMER,
    EVRUN_NOWAIT,
    Async,
    Check,
    Error,
    Fork,
    Idle,
    Io,
    Periodic,
    Prepare,
    Scheduler,
    Timer,
)

ARGUMENTS = {
    Io: (0, EV_READ),
    Timer: (60.0, 0.0),
    Periodic: (0.0, 3600.0),
    Scheduler: (lambda w, now: now + 60.0,),
    Idle: (),
    Prepare: (),
    Check: (),
    Fork: (),
    Async: (),
}
FACTORIES = {Async: "async_"}


def noop(watcher, revents):
    pass


@pytest.fixture(params=ARGUMENTS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def make(kind, loop):
    """Makes a watcher of the kind, with what comes after the loop."""

    def make(callback=noop, *rest, **named):
        return kind(*ARGUMENTS[kind], loop, callback, *rest, **named)

    return make


# Making


def test_new_one_is_inactive_with_defaults(loop, make):
    watcher = make()
    assert watcher.loop is loop
    assert watcher.callback is noop
    assert (watcher.data, watcher.priority) == (None, 0)
    assert (watcher.active, watcher.pending) == (False, False)
    assert loop.watchers == ()


def test_factory_of_the_loop_makes_the_same(loop, kind):
    factory = getattr(loop, FACTORIES.get(kind, kind.__name__.lower()))
    watcher = factory(*ARGUMENTS[kind], noop, "data", 2)
    assert type(watcher) is kind
    assert watcher.loop is loop
    assert (watcher.callback, watcher.data, watcher.priority) == (noop, "data", 2)
    named = factory(*ARGUMENTS[kind], callback=noop, data="data", priority=-2)
    assert (named.callback, named.data, named.priority) == (noop, "data", -2)


@pytest.mark.parametrize("callback", [None, 5, "noop", object()])
def test_callback_has_to_be_callable(make, callback):
    with pytest.raises(TypeError):
        make(callback)
    watcher = make()
    with pytest.raises(TypeError):
        watcher.callback = callback
    assert watcher.callback is noop


@pytest.mark.parametrize("other", [None, 5, "loop", object()])
def test_loop_has_to_be_a_loop(kind, other):
    with pytest.raises(TypeError):
        kind(*ARGUMENTS[kind], other, noop)


def test_closed_loop_is_an_error(new_loop, kind):
    loop = new_loop()
    loop.close()
    with pytest.raises(Error, match="closed"):
        kind(*ARGUMENTS[kind], loop, noop)


def test_base_class_is_not_a_kind(loop):
    with pytest.raises(TypeError, match="Watcher"):
        Timer.__mro__[1](loop, noop)


def test_anything_callable_will_do(loop, make):
    called = []

    class Callable:
        def __call__(self, watcher, revents):
            called.append("object")

        def method(self, watcher, revents):
            called.append("method")

        @classmethod
        def of_class(cls, watcher, revents):
            called.append("class")

        @staticmethod
        def static(watcher, revents):
            called.append("static")

    def function(extra, watcher, revents):
        called.append(extra)

    thing = Callable()
    for callback in (
        thing,
        thing.method,
        Callable.of_class,
        thing.static,
        functools.partial(function, "partial"),
        lambda *arguments: called.append("lambda"),
        lambda watcher, revents, more=1: called.append("default"),
    ):
        make(callback).invoke(EV_CUSTOM)
    assert called == ["object", "method", "class", "static", "partial", "lambda", "default"]


def test_coroutine_function_is_refused_on_a_plain_loop(make):
    async def callback(watcher, revents):
        pass

    with pytest.raises(TypeError, match="coroutine"):
        make(callback)
    watcher = make()
    with pytest.raises(TypeError, match="coroutine"):
        watcher.callback = callback


def test_generator_function_is_refused(make):
    def callback(watcher, revents):
        yield

    with pytest.raises(TypeError, match="generator"):
        make(callback)


def test_init_again_moves_it_to_another_loop(loop, new_loop, kind, make):
    other = new_loop()
    watcher = make(noop, "old", 1)
    watcher.start()
    watcher.stop()
    watcher.__init__(*ARGUMENTS[kind], other, print, "new", -1)
    assert watcher.loop is other
    assert (watcher.callback, watcher.data, watcher.priority) == (print, "new", -1)
    watcher.start()
    assert (loop.watchers, other.watchers) == ((), (watcher,))


@pytest.mark.parametrize("state", ["active", "pending"])
def test_init_of_an_active_or_pending_one_is_an_error(loop, new_loop, kind, make, state):
    watcher = make(noop, "data", 1)
    if state == "active":
        watcher.start()
    else:
        watcher.feed(EV_CUSTOM)
    with pytest.raises(Error, match=state):
        watcher.__init__(*ARGUMENTS[kind], new_loop(), print, "other", 2)
    assert watcher.loop is loop
    assert (watcher.callback, watcher.data, watcher.priority) == (noop, "data", 1)
    assert getattr(watcher, state)
    loop.verify()


# Starting and stopping


def test_start_and_stop_do_nothing_the_second_time(loop, make):
    watcher = make()
    assert watcher.stop() is None
    for _ in range(3):
        assert watcher.start() is None
        loop.verify()
        assert watcher.active
    assert loop.watchers == (watcher,)
    for _ in range(3):
        assert watcher.stop() is None
        loop.verify()
        assert not watcher.active
    assert loop.watchers == ()
    assert loop.start(EVRUN_NOWAIT) is False


def test_active_one_keeps_the_loop_running(loop, make):
    watcher = make()
    assert loop.start(EVRUN_NOWAIT) is False
    watcher.start()
    assert loop.start(EVRUN_NOWAIT) is True
    watcher.stop()
    assert loop.start(EVRUN_NOWAIT) is False


def test_with_starts_and_stops(make):
    watcher = make()
    with watcher as entered:
        assert entered is watcher
        assert watcher.active
    assert not watcher.active


def test_with_stops_after_an_exception(make):
    watcher = make()
    with pytest.raises(ZeroDivisionError), watcher:
        raise ZeroDivisionError
    assert not watcher.active


def test_stop_takes_back_what_is_pending(loop, make):
    called = []
    watcher = make(lambda w, e: called.append(e))
    for started in (True, False):
        if started:
            watcher.start()
        watcher.feed(EV_CUSTOM)
        watcher.stop()
        loop.verify()
        assert not watcher.pending
    loop.invoke()
    assert called == []


def test_start_leaves_what_was_fed(loop, make):
    called = []
    watcher = make(lambda w, e: called.append(e))
    watcher.feed(EV_CUSTOM)
    watcher.start()
    loop.verify()
    assert watcher.pending
    loop.invoke()
    assert called == [EV_CUSTOM]
    assert watcher.active


# Events by hand


def test_feed_queues_and_invoke_of_the_loop_calls(loop, make):
    called = []
    watcher = make(lambda w, e: called.append((w, e, w.active, w.pending)))
    assert watcher.feed(EV_CUSTOM) is None
    assert watcher.pending
    loop.invoke()
    assert called == [(watcher, EV_CUSTOM, False, False)]


def test_invoke_calls_at_once_and_changes_nothing(loop, make):
    called = []
    watcher = make(lambda w, e: called.append(e))
    for revents in (0, EV_CUSTOM, 0, EV_TIMER):
        watcher.invoke(revents)
    assert called == [0, EV_CUSTOM, 0, EV_TIMER]
    watcher.feed(EV_READ)
    watcher.invoke(EV_CUSTOM)
    assert (called[-1], watcher.pending, watcher.clear()) == (EV_CUSTOM, True, EV_READ)


def test_clear_returns_the_bits(loop, make):
    watcher = make()
    assert watcher.clear() == 0
    watcher.feed(EV_READ)
    watcher.feed(EV_CUSTOM)
    assert watcher.clear() == EV_READ | EV_CUSTOM
    assert watcher.clear() == 0
    loop.verify()


def test_invoke_reports_exceptions(make, reported):
    def bad(watcher, revents):
        raise ValueError

    make(bad).invoke(EV_CUSTOM)
    assert [type(error) for error, _ in reported] == [ValueError]
    assert reported[0][1] is bad


def test_invoke_raises_fatal_exceptions(make, reported):
    @everloop.fatal
    def bad(watcher, revents):
        raise ValueError

    with pytest.raises(ValueError):
        make(bad).invoke(EV_CUSTOM)
    assert reported == []


# Attributes


def test_callback_replaced_while_active_or_pending_is_used(loop, make):
    called = []
    watcher = make(lambda w, e: called.append("old"))
    watcher.start()
    watcher.feed(EV_CUSTOM)
    watcher.callback = lambda w, e: called.append("new")
    loop.invoke()
    assert called == ["new"]


@pytest.mark.parametrize("priority", range(-2, 3))
def test_priority_can_be_set_while_inactive(make, priority):
    watcher = make()
    watcher.priority = priority
    assert watcher.priority == priority
    assert make(noop, None, priority).priority == priority


@pytest.mark.parametrize(("given", "clamped"), [(3, 2), (-3, -2), (2**31 - 1, 2), (-(2**31), -2)])
def test_priority_is_clamped(make, given, clamped):
    watcher = make(noop, None, given)
    assert watcher.priority == clamped
    watcher.priority = 0
    watcher.priority = given
    assert watcher.priority == clamped


@pytest.mark.parametrize(
    ("priority", "error"), [("x", TypeError), (1.5, TypeError), (2**40, OverflowError)]
)
def test_bad_priority(make, priority, error):
    watcher = make()
    with pytest.raises(error):
        watcher.priority = priority
    with pytest.raises(error):
        make(noop, None, priority)
    assert watcher.priority == 0


def test_priority_can_not_change_while_active_or_pending(make):
    watcher = make()
    watcher.start()
    with pytest.raises(Error, match="priority"):
        watcher.priority = 1
    watcher.stop()
    watcher.feed(EV_CUSTOM)
    with pytest.raises(Error, match="priority"):
        watcher.priority = 1
    watcher.clear()
    watcher.priority = 1
    assert watcher.priority == 1


@pytest.mark.parametrize("name", ["loop", "active", "pending"])
def test_read_only_attributes(make, name):
    watcher = make()
    with pytest.raises(AttributeError):
        setattr(watcher, name, 1)
    with pytest.raises((AttributeError, TypeError)):
        delattr(watcher, name)


@pytest.mark.parametrize("name", ["callback", "data", "priority"])
def test_attributes_can_not_be_deleted(make, name):
    with pytest.raises(TypeError):
        delattr(make(), name)


def test_no_attributes_of_ones_own_without_a_subclass(make):
    with pytest.raises(AttributeError):
        make().extra = 1


# Objects


def test_repr_shows_kind_state_priority_and_callback(kind, make):
    watcher = make(noop, None, 1)
    assert repr(watcher).startswith(f"<{kind.__name__}")
    assert "stopped, priority 1, calls noop>" in repr(watcher)
    watcher.start()
    watcher.feed(EV_CUSTOM)
    assert "active, pending" in repr(watcher)


def test_equal_only_to_itself_and_hashable(make):
    one, two = make(), make()
    assert one != two
    assert len({one, two, one}) == 2


def test_weak_reference(loop, make):
    watcher = make()
    gone = []
    ghost = weakref.ref(watcher, gone.append)
    watcher.start()
    del watcher
    gc.collect()
    assert ghost() is loop.watchers[0]
    ghost().stop()
    assert ghost() is None
    assert gone == [ghost]


def test_cycle_through_callback_and_data_is_collected(make):
    watcher = make()
    watcher.callback = lambda w, e, kept=watcher: None
    watcher.data = watcher
    ghost = weakref.ref(watcher)
    del watcher
    gc.collect()
    assert ghost() is None


def test_subclass(loop, kind):
    class Mine(kind):
        kept = "class"

        def __init__(self, name):
            super().__init__(*ARGUMENTS[kind], loop, self.call, None, 1)
            self.name = name
            self.calls = 0

        def call(self, watcher, revents):
            assert watcher is self
            self.calls += 1

    watcher = Mine("mine")
    watcher.start()
    watcher.feed(EV_CUSTOM)
    loop.invoke()
    loop.verify()
    assert (watcher.calls, watcher.name, watcher.kept, watcher.priority) == (1, "mine", "class", 1)
    assert repr(watcher).startswith("<Mine")
    watcher.stop()


def test_subclass_with_start_and_stop_of_its_own(loop, kind):
    told = []

    class Mine(kind):
        def start(self):
            told.append("start")
            super().start()

        def stop(self):
            told.append("stop")
            super().stop()

    with Mine(*ARGUMENTS[kind], loop, noop):
        pass
    assert told == ["start", "stop"]


def test_one_that_was_never_made(kind):
    class Forgetful(kind):
        def __init__(self):
            pass

    for watcher in (kind.__new__(kind), Forgetful()):
        for action in (
            watcher.start,
            lambda watcher=watcher: watcher.feed(1),
            lambda watcher=watcher: watcher.invoke(1),
        ):
            with pytest.raises(Error, match="__init__"):
                action()
        assert watcher.stop() is None
        assert watcher.clear() == 0
        assert (watcher.loop, watcher.callback, watcher.active) == (None, None, False)
        assert repr(watcher)
