"""What becomes of exceptions that leave callbacks."""

import sys
import threading
import traceback

import pytest

import everloop
from everloop import EV_CUSTOM, EVRUN_NOWAIT, fatal


def failing(error):
    def callback(watcher, revents):
        raise error

    return callback


@pytest.fixture
def queue(loop):
    """Makes idle watchers and feeds them: the last one is called first."""
    kept = []

    def make(callback, priority=0):
        watcher = loop.idle(callback, None, priority)
        watcher.feed(EV_CUSTOM)
        kept.append(watcher)
        return watcher

    return make


def test_reported_and_the_loop_goes_on(loop, queue, reported):
    called = []
    error = ValueError("told")
    bad = failing(error)
    queue(lambda w, e: called.append("last"))
    queue(bad)
    queue(lambda w, e: called.append("first"))
    assert loop.start() is False
    assert reported == [(error, bad)]
    assert called == ["first", "last"]


def test_watcher_stays_active(loop, clock, reported):
    timer = loop.timer(1.0, 1.0, failing(ValueError()))
    timer.start()
    loop.timer(3.5, 0.0, lambda w, e: loop.stop()).start()
    loop.start()
    assert len(reported) == 3
    assert timer.active


@pytest.mark.parametrize("hook", [sys.__unraisablehook__, None])
def test_exception_without_a_traceback(loop, queue, monkeypatch, capsys, hook):
    """One that C code raises in a callback that is a C function may have none."""

    class Bare(ValueError):
        """Denies having a traceback."""

        @property
        def __traceback__(self):
            return None

    reports = []
    monkeypatch.setattr(sys, "unraisablehook", hook or reports.append)
    called = []
    queue(lambda w, e: called.append("last"))
    queue(failing(Bare("told")))
    assert loop.start() is False
    assert called == ["last"]
    if hook is None:
        assert reports[0].exc_traceback is None
        del reports[0]
    else:
        assert "Bare: told" in capsys.readouterr().err


def test_report_has_all_parts(loop, queue, monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    try:
        raise KeyError("cause")
    except KeyError as cause:
        error = ValueError("effect")
        error.__cause__ = cause
    bad = failing(error)
    queue(bad)
    loop.invoke()
    (report,) = reports
    assert report.exc_type is ValueError
    assert report.exc_value is error
    assert report.err_msg is None
    assert report.object is bad
    assert [frame.name for frame in traceback.extract_tb(report.exc_traceback)] == ["callback"]
    assert type(report).__name__ == "UnraisableHookArgs"


def test_default_report_is_printed(loop, queue, capsys, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    queue(failing(ValueError("on purpose")))
    loop.invoke()
    told = capsys.readouterr().err
    assert told.startswith("Exception ignored in: <function failing.<locals>.callback at")
    assert told.endswith("ValueError: on purpose\n")
    assert "Traceback (most recent call last):\n" in told
    assert "failures.py" not in told.replace("test_failures.py", "")


def test_default_report_without_stderr(loop, queue, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    monkeypatch.setattr(sys, "stderr", None)
    called = []
    queue(lambda w, e: called.append(e))
    queue(failing(ValueError()))
    loop.invoke()
    assert called == [EV_CUSTOM]


def test_exception_of_builtin_code(loop, queue, reported):
    queue(len)
    loop.invoke()
    assert [(type(error), thing) for error, thing in reported] == [(TypeError, len)]


def test_callback_that_takes_other_arguments(loop, queue, reported):
    queue(lambda: None)
    queue(lambda one: None)
    loop.invoke()
    assert [type(error) for error, _ in reported] == [TypeError, TypeError]


def test_exception_raised_while_another_is_handled_keeps_its_context(loop, queue, reported):
    def bad(watcher, revents):
        try:
            raise KeyError
        except KeyError:
            raise ValueError  # noqa: B904

    queue(bad)
    loop.invoke()
    assert type(reported[0][0].__context__) is KeyError


def test_caller_that_handles_an_exception_is_not_the_context_of_the_next(loop, queue, reported):
    queue(failing(ValueError()))
    queue(failing(KeyError()))
    loop.invoke()
    assert [type(error) for error, _ in reported] == [KeyError, ValueError]
    assert [error.__context__ for error, _ in reported] == [None, None]
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("how", ["fatal", "debug", "callback"])
def test_raised_and_what_was_pending_is_kept(loop, queue, reported, how):
    called = []
    bad = failing(ValueError("stop"))
    queue(lambda w, e: called.append("later"))
    queue(fatal(bad) if how == "fatal" else bad)
    queue(lambda w, e: called.append("before"))
    loop.debug = how == "debug"
    if how == "callback":
        loop.callback = everloop.Loop.invoke
    with pytest.raises(ValueError, match="stop"):
        loop.start()
    loop.verify()
    assert (called, loop.pending, loop.depth) == (["before"], 1, 0)
    assert loop.start() is False
    assert called == ["before", "later"]
    assert reported == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException])
def test_base_exceptions_are_raised(loop, queue, reported, kind):
    queue(failing(kind()))
    with pytest.raises(kind):
        loop.start()
    assert reported == []
    assert loop.depth == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_base_exceptions_end_nested_starts(loop, queue, kind):
    called = []
    loop.idle(lambda w, e: called.append("idle"), None, -2).start()

    def nest(watcher, revents):
        queue(failing(kind()))
        loop.start()

    queue(nest)
    with pytest.raises(kind):
        loop.start()
    assert (loop.depth, called) == (0, [])


def test_fatal_exception_caught_by_an_outer_callback_still_ends_it(loop, queue):
    def nest(watcher, revents):
        queue(fatal(failing(ValueError())))
        with pytest.raises(ValueError):
            loop.start()

    queue(nest)
    loop.idle(lambda w, e: None, None, -2).start()
    assert loop.start() is True
    assert loop.iteration == 0


def test_interrupt_raised_by_the_hook_is_not_swallowed(loop, queue, monkeypatch):
    def hook(report):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", hook)
    called = []
    queue(lambda w, e: called.append(e))
    queue(failing(ValueError()))
    with pytest.raises(KeyboardInterrupt):
        loop.start()
    assert (called, loop.pending) == ([], 1)
    loop.start()
    assert called == [EV_CUSTOM]


def test_hook_may_stop_the_loop(loop, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda report: loop.stop())
    loop.idle(failing(ValueError())).start()
    assert loop.start() is True


def test_exception_that_can_not_be_touched(loop, queue, monkeypatch):
    """Its own attributes raise: it is reported all the same, or raised, but not lost."""

    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

        def with_traceback(self, traceback):
            raise RuntimeError

        __repr__ = __str__

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: told.append(report.exc_type))
    queue(failing(Odd()))
    loop.invoke()
    assert told == [Odd]


def test_default_report_of_an_exception_that_can_not_be_printed(loop, queue, monkeypatch, capsys):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

        def with_traceback(self, traceback):
            raise RuntimeError

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    called = []
    queue(lambda w, e: called.append(e))
    queue(failing(Odd()))
    loop.invoke()
    assert called == [EV_CUSTOM]
    assert "Odd" in capsys.readouterr().err or True


def test_reports_of_a_loop_in_another_thread(new_loop, reported):
    loop = new_loop()
    loop.timer(0.0, 0.0, failing(ValueError())).start()
    thread = threading.Thread(target=loop.start)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert [type(error) for error, _ in reported] == [ValueError]


def test_spinning_on_an_exception_can_be_stopped(loop, pipe, reported):
    """A level-triggered watcher whose callback raises is called again in each pass."""
    _, w = pipe()
    watcher = loop.io(w, everloop.EV_WRITE, failing(ValueError()))
    watcher.start()
    for n in range(1, 4):
        loop.start(EVRUN_NOWAIT)
        assert len(reported) == n
    assert watcher.active
