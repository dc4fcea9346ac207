"""Handle and TimerHandle: what call_soon() and call_later() return."""

import asyncio
import concurrent.futures
import contextvars
import gc
import logging
import sys
import threading
import time
import weakref

import pytest

variable = contextvars.ContextVar("variable", default="unset")


class Called:
    """Something to call, that can be referred to weakly."""

    def __init__(self, log=None):
        self.log = log

    def __call__(self, *args):
        self.log.append(args)


def ignore(*args):
    pass


def test_they_are_handles_of_asyncio(loop):
    handle, timer = loop.call_soon(ignore), loop.call_later(1, ignore)
    assert isinstance(handle, asyncio.Handle) and not isinstance(handle, asyncio.TimerHandle)
    assert isinstance(timer, asyncio.Handle) and isinstance(timer, asyncio.TimerHandle)


@pytest.mark.parametrize("schedule", ["call_soon", "call_soon_threadsafe"])
@pytest.mark.parametrize("count", range(13))
def test_arguments(loop, run_round, schedule, count):
    seen = []
    getattr(loop, schedule)(Called(seen), *range(count))
    run_round()
    assert seen == [tuple(range(count))]


def test_cancelled_ones_are_not_called(loop, run_round):
    seen = []
    handle = loop.call_soon(seen.append, 1)
    timer = loop.call_later(0, seen.append, 2)
    assert (handle.cancelled(), timer.cancelled()) == (False, False)
    for _ in range(2):
        handle.cancel()
        timer.cancel()
    run_round()
    run_round()
    assert seen == [] and handle.cancelled() and timer.cancelled()


def test_cancelled_by_the_one_before(loop, run_round):
    seen = []
    loop.call_soon(lambda: handle.cancel())
    handle = loop.call_soon(seen.append, 1)
    loop.call_soon(seen.append, 2)
    run_round()
    assert seen == [2]


def test_cancelled_by_a_timer_of_the_same_time(loop, run):
    seen = []
    when = loop.time() + 0.01
    handles = [loop.call_at(when, lambda: [handle.cancel() for handle in handles])] * 2
    handles[1] = loop.call_at(when, seen.append, 1)
    run(asyncio.sleep(0.02))
    assert seen == []


def test_cancelled_by_itself(loop, run_round, handled):
    seen = []
    handle = loop.call_soon(lambda: (handle.cancel(), seen.append(handle.cancelled())))
    run_round()
    assert seen == [True] and not handled


def test_timer_cancelled_by_itself_and_after_its_call(loop, run):
    timer = loop.call_later(0, lambda: timer.cancel())
    other = loop.call_later(0, ignore)
    run(asyncio.sleep(0.01))
    other.cancel()
    assert timer.cancelled() and other.cancelled()
    loop.verify()


@pytest.mark.parametrize("schedule", ["soon", "later"])
def test_cancel_drops_what_would_have_been_called(loop, schedule):
    called = Called()
    argument = Called()
    gone = [weakref.ref(called), weakref.ref(argument)]
    if schedule == "soon":
        handle = loop.call_soon(called, argument)
    else:
        handle = loop.call_later(1000, called, argument)
    del called, argument
    handle.cancel()
    assert [each() for each in gone] == [None, None]


def test_what_was_called_is_dropped(loop, run_round):
    called = Called([])
    gone = weakref.ref(called)
    loop.call_soon(called)
    loop.call_later(0, called)
    del called
    run_round()
    run_round()
    assert gone() is None


def test_cycles_through_handles_are_collected(loop):
    called = Called()
    gone = weakref.ref(called)
    called.handle = loop.call_later(1000, called)
    called.other = loop.call_soon(called)
    called.handle.cancel()
    called.other.cancel()
    del called
    gc.collect()
    assert gone() is None


def test_weak_references(loop):
    handle, timer = loop.call_soon(ignore), loop.call_later(1000, ignore)
    assert weakref.ref(handle)() is handle and weakref.ref(timer)() is timer


def test_they_are_made_by_loops_only(loop):
    for handle in loop.call_soon(ignore), loop.call_later(1, ignore):
        with pytest.raises(TypeError):
            type(handle)()


# How they look


def test_repr_says_what_is_called(loop):
    handle, timer = loop.call_soon(ignore), loop.call_at(12.5, ignore)
    assert repr(handle).startswith("<Handle ignore(") and "test_handle.py" in repr(handle)
    assert repr(timer).startswith("<TimerHandle when=12.5 ignore(")
    handle.cancel()
    timer.cancel()
    assert repr(handle) == "<Handle cancelled>"
    assert repr(timer) == "<TimerHandle cancelled when=12.5>"


def test_repr_says_where_it_was_made_in_debug_mode(loop):
    loop.set_debug(True)
    handle, timer = loop.call_soon(ignore), loop.call_later(1, ignore)
    assert f"created at {__file__}:" in repr(handle)
    assert f"created at {__file__}:" in repr(timer)
    handle.cancel()
    assert repr(handle).startswith("<Handle cancelled ignore() at ")


def test_source_traceback_ends_at_the_caller(loop):
    assert loop.call_soon(ignore)._source_traceback is None
    loop.set_debug(True)
    for handle in (
        loop.call_soon(ignore),
        loop.call_soon_threadsafe(ignore),
        loop.call_later(1, ignore),
        loop.call_at(1, ignore),
    ):
        assert handle._source_traceback[-1].name == "test_source_traceback_ends_at_the_caller"


# Contexts


def test_context_is_a_copy_of_the_current_one(loop, run_round):
    seen = []

    def call():
        seen.append(variable.get())
        variable.set("changed by the callback")

    token = variable.set("when it was asked for")
    loop.call_soon(call)
    loop.call_soon_threadsafe(call)
    loop.call_later(0, call)
    variable.reset(token)
    run_round()
    run_round()
    assert seen == ["when it was asked for"] * 3
    assert variable.get() == "unset"


def test_given_context(loop, run_round):
    context = contextvars.copy_context()
    for schedule in loop.call_soon, loop.call_soon_threadsafe:
        handle = schedule(variable.set, schedule.__name__, context=context)
        assert handle.get_context() is context
        run_round()
        assert context[variable] == schedule.__name__
    assert loop.call_later(0, variable.set, 1, context=context).get_context() is context
    run_round()
    run_round()
    assert context[variable] == 1


def test_context_that_is_entered_already(loop, run_round, handled, caplog):
    context = contextvars.copy_context()
    seen = []
    loop.call_soon(ignore, context=context)
    loop.call_soon(seen.append, 1)
    context.run(run_round)
    assert seen == [1]
    if sys.version_info < (3, 12):
        assert [type(each["exception"]) for each in handled] == [RuntimeError]
    else:
        # There the exception handler is run in the handle's context, which fails, too.
        assert "is already entered" in caplog.text


def test_what_is_no_context(loop, run_round, handled):
    """Is refused at once or reported when it is used, and does no other harm."""
    with pytest.raises((TypeError, AttributeError)):
        loop.call_soon(ignore, context=object())
        run_round()
        raise handled.pop()["exception"]
    run_round()


# Times


def test_when(loop):
    before = loop.time()
    timer = loop.call_later(2, ignore)
    assert before + 2 <= timer.when() <= loop.time() + 2
    assert loop.call_at(12.5, ignore).when() == 12.5


def test_comparison(loop):
    early, late, same = (loop.call_at(when, ignore) for when in (1.0, 2.0, 1.0))
    assert early < late and late > early and early <= same and early >= same
    assert not early < same and not early > same and not late <= early
    assert early == same and early != late
    assert hash(early) == hash(same)
    assert early != loop.call_at(1.0, print)
    same.cancel()
    assert early != same
    assert early != 1.0 and early != loop.call_soon(ignore)
    with pytest.raises(TypeError):
        assert early < 2.0


def test_sorting(loop):
    timers = [loop.call_at(when, ignore) for when in (3, 1, 2)]
    assert [timer.when() for timer in sorted(timers)] == [1, 2, 3]


def test_scheduled_until_called_or_cancelled(loop, run_round):
    timer, other = loop.call_later(0, ignore), loop.call_later(1000, ignore)
    assert timer._scheduled and other._scheduled
    other.cancel()
    run_round()
    run_round()
    assert not timer._scheduled and not other._scheduled


# Slow callbacks


def test_slow_callbacks_are_warned_of_in_debug_mode(loop, run_round, caplog):
    loop.slow_callback_duration = 0
    loop.call_soon(ignore, 1)
    loop.call_later(0, ignore, 2)
    run_round()
    run_round()
    assert not caplog.records
    loop.set_debug(True)
    loop.call_soon(ignore, 1)
    loop.call_later(0, ignore, 2)
    run_round()
    run_round()
    texts = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("Executing <Handle ignore(") for text in texts)
    assert any(text.startswith("Executing <TimerHandle") for text in texts)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert all(" seconds" in text for text in texts)


def test_fast_callbacks_are_not(loop, run_round, caplog):
    loop.set_debug(True)
    assert loop.slow_callback_duration == 0.1
    loop.slow_callback_duration = 1000
    loop.call_soon(ignore)
    run_round()
    assert not caplog.records


def test_slow_tasks_are_named(loop, run, caplog):
    async def main():
        pass

    loop.set_debug(True)
    loop.slow_callback_duration = 0
    task = loop.create_task(main(), name="the slow one")
    run(asyncio.wait([task]))
    assert any("'the slow one'" in record.getMessage() for record in caplog.records)


def test_slow_callback_that_raises(loop, run_round, caplog, handled):
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    loop.call_soon(lambda: 1 / 0)
    run_round()
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
    assert handled[0]["source_traceback"][-1].name == "test_slow_callback_that_raises"
    assert any("Executing" in record.getMessage() for record in caplog.records)


# Handles of call_soon_threadsafe()


def test_cancel_waits_for_a_call_in_another_thread(loop, in_thread_of_loop):
    begun, done = threading.Event(), threading.Event()

    def call():
        begun.set()
        time.sleep(0.05)
        done.set()

    def other():
        handle = loop.call_soon_threadsafe(call)
        begun.wait()
        assert handle.cancelled() is False and done.is_set()
        handle.cancel()
        assert handle.cancelled() is True

    in_thread_of_loop(other)


def test_cancel_before_the_call(loop, in_thread_of_loop):
    calls, cancelled = [], threading.Event()

    def other():
        loop.call_soon_threadsafe(cancelled.wait)
        handle = loop.call_soon_threadsafe(calls.append, 1)
        handle.cancel()
        cancelled.set()
        assert handle.cancelled()

    in_thread_of_loop(other)
    assert calls == []


def test_cancel_within_the_call(loop, run_round):
    handles = []
    handles.append(loop.call_soon_threadsafe(lambda: handles[0].cancel()))
    run_round()
    assert handles[0].cancelled()


def test_kinds_of_handles(loop):
    for handle in loop.call_soon(int), loop.call_soon_threadsafe(int):
        assert isinstance(handle, asyncio.Handle)
    kind = getattr(asyncio.events, "_ThreadSafeHandle", asyncio.Handle)
    assert isinstance(handle, kind)
    assert isinstance(loop.call_soon(int), kind) is (kind is asyncio.Handle)


@pytest.fixture
def in_thread_of_loop(loop):
    """A function that calls another in a thread while the loop runs."""

    def in_thread_of_loop(function):
        def call():
            try:
                function()
            finally:
                loop.call_soon_threadsafe(loop.stop)

        with concurrent.futures.ThreadPoolExecutor() as threads:
            future = threads.submit(call)
            loop.run_forever()
            future.result()

    return in_thread_of_loop
