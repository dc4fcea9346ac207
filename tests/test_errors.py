"""Error, fatal(), and EV_ERROR."""

import functools
import pickle

import pytest

import everloop
from everloop import EV_CUSTOM, EV_ERROR, EVRUN_NOWAIT, Error, fatal


def noop(watcher, revents):
    pass


def test_error_is_an_exception_of_the_package():
    assert issubclass(Error, Exception)
    assert not issubclass(Error, OSError)
    assert (Error.__module__, Error.__qualname__) == ("everloop", "Error")
    again = pickle.loads(pickle.dumps(Error("told")))
    assert type(again) is Error
    assert again.args == ("told",)


def test_fatal_marks_and_returns_the_callback():
    def callback(watcher, revents):
        pass

    assert fatal(callback) is callback
    assert callback.__err_fatal__ is True


@pytest.mark.parametrize("callback", [len, 5, [].append])
def test_fatal_needs_something_that_takes_attributes(callback):
    with pytest.raises(AttributeError):
        fatal(callback)


@pytest.mark.parametrize("value", [False, None, 0, True])
def test_mark_counts_whatever_its_value(loop, reported, value):
    class Bad:
        __err_fatal__ = value

        def __call__(self, watcher, revents):
            raise ValueError

    loop.timer(0.0, 0.0, Bad()).start()
    with pytest.raises(ValueError):
        loop.start()
    assert reported == []


def test_fatal_counts_for_methods_partials_and_objects(loop, reported):
    class Bad:
        @fatal
        def method(self, watcher, revents):
            raise ValueError("method")

        def __call__(self, watcher, revents):
            raise ValueError("object")

    def bad(watcher, revents):
        raise ValueError("partial")

    for callback in (Bad().method, fatal(Bad()), fatal(functools.partial(bad))):
        loop.timer(0.0, 0.0, callback).start()
        with pytest.raises(ValueError):
            loop.start()
    assert reported == []


def test_fatal_exception_is_the_very_object_with_its_traceback(loop):
    error = ValueError("mine")

    @fatal
    def bad(watcher, revents):
        raise error

    loop.timer(0.0, 0.0, bad).start()
    with pytest.raises(ValueError) as caught:
        loop.start()
    assert caught.value is error
    assert caught.traceback[-1].name == "bad"


def test_error_event_stops_the_watcher_and_the_loop(loop):
    called = []
    timer = loop.timer(60.0, 0.0, lambda w, e: called.append(e))
    other = loop.timer(60.0, 0.0, noop)
    timer.start()
    other.start()
    timer.feed(EV_ERROR)
    with pytest.warns(RuntimeWarning, match="EV_ERROR"), pytest.raises(Error, match="Timer"):
        loop.start()
    assert called == []
    assert loop.watchers == (other,)
    loop.verify()
    assert loop.start(EVRUN_NOWAIT) is True


def test_error_event_by_invoke(loop):
    watcher = loop.idle(noop)
    with pytest.warns(RuntimeWarning), pytest.raises(Error):
        watcher.invoke(EV_ERROR)


def test_messages_name_what_was_used_wrongly(loop):
    timer = loop.timer(1.0, 0.0, noop)
    timer.start()
    with pytest.raises(Error, match=r"Timer .*active"):
        timer.set(1.0, 1.0)
    loop.close()
    with pytest.raises(Error, match="loop is closed"):
        loop.start()
    with pytest.raises(Error, match="loop is closed"):
        timer.feed(EV_CUSTOM)


def test_error_is_what_verify_raises():
    with pytest.raises(Error):
        everloop.Loop.__new__(everloop.Loop).verify()
