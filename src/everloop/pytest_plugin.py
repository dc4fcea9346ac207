"""Fixtures for pytest: loops that are verified and closed, and a clock that tests advance.

Named in a conftest.py: ``pytest_plugins = ["everloop.pytest_plugin"]``. It is no entry point:
no other test run should load everloop.
"""

import asyncio
from collections.abc import Iterator

import pytest

from everloop import Clock, EventLoop, Loop
from everloop.testing import SteppingClock


@pytest.fixture
def everloop_loop() -> Iterator[Loop]:
    """A Loop, whose `start` raises exceptions that leave callbacks; verified and closed."""
    loop = Loop(debug=True)
    yield loop
    if not loop.closed:
        loop.verify()
        loop.close()


@pytest.fixture
def everloop_event_loop() -> Iterator[EventLoop]:
    """An EventLoop, verified and closed as asyncio.run() does: tasks left are cancelled.

    An exception in a call fails the test, unless that has set an exception handler of its own.
    """
    loop = EventLoop()
    contexts: list[dict[str, object]] = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    yield loop
    if not loop.is_closed():
        # Real time again: what is shut down waits for threads, with a time-out.
        loop.clock = Clock()
        shut_down(loop)
        loop.verify()
        loop.close()
    for context in contexts:
        error = context.get("exception")
        raise error if isinstance(error, BaseException) else AssertionError(context["message"])


def shut_down(loop: EventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())


@pytest.fixture
def manual_clock(request: pytest.FixtureRequest) -> SteppingClock:
    """A SteppingClock for the loops of the test's other fixtures; for everloop_loop if none."""
    names = {"everloop_loop", "everloop_event_loop"} & set(request.fixturenames)
    loops = [request.getfixturevalue(name) for name in sorted(names or {"everloop_loop"})]
    return SteppingClock(*loops)
