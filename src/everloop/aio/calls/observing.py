"""Observing: calls that are timed in debug mode, or made by the function of a tool.

Tools such as aiodebug put a function of theirs in the place of asyncio.Handle._run(), by
which asyncio makes every call. Here nothing is called by it, but if it is not asyncio's own
any more each call is made by what is there, with everloop's handle. Whether it is costs one
comparison a round of calls: CPython gives a class another version when it is changed.

In asyncio descriptors are served by handles, too. So a watcher's callback, or what a
transport does with its descriptor, is observed as a handle is.
"""

import asyncio
from asyncio import events
from time import monotonic

import cython
from cython.cimports.everloop.aio.calls.handle import (
    Handle,
    call_in_context,
    handle_failed,
    new_handle,
)
from cython.cimports.everloop.aio.calls.turn import Turn
from cython.cimports.everloop.clock import nanoseconds
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.queues.entry import INTERNAL
from cython.cimports.everloop.watcher import Watcher

from everloop.aio.stdlib import logger

handle_class = asyncio.Handle


@cython.cfunc
@cython.exceptval(check=False)
def runs_by_tool() -> cython.bint:
    """Whether something else than asyncio's own function is in its place."""
    return getattr(handle_class._run, "__globals__", None) is not vars(events)


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_observed(handle: Handle, shown: object) -> cython.int:
    """Make the call of a handle while it is observed.

    shown: what whoever asked for the call has got for it.
    """
    loop: Turn = handle.loop
    outer: object = loop.current
    begun: nanoseconds = loop.begin(shown)
    try:
        return run_in_debug_mode(handle, shown) if loop.debug_mode else run_somehow(handle, shown)
    finally:
        loop.end(outer, begun)


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_in_debug_mode(handle: Handle, shown: object) -> cython.int:
    """Make the call, and say so if it takes long."""
    begin: float = monotonic()
    task: object = getattr(handle.callback, "__self__", None)
    run_somehow(handle, shown)
    return tell_if_slow(handle.loop, begin, task if isinstance(task, asyncio.Task) else shown)


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_somehow(handle: Handle, shown: object) -> cython.int:
    if handle.loop.by_tool:
        handle_class._run(shown)
    elif call_in_context(handle.context, handle.callback, handle.args) < 0:
        handle_failed(handle, shown)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def call_observed(loop: Turn, watcher: Watcher, revents: cython.int) -> cython.int:
    """The same for a watcher's event."""
    if watcher.flags & INTERNAL or watcher is loop.wakeup or loop.is_for_handle(watcher):
        return Loop.call(loop, watcher, revents)
    begin: float = monotonic()
    try:
        return call_somehow(loop, watcher, revents)
    finally:
        if loop.debug_mode:
            tell_if_slow(loop, begin, watcher)


@cython.cfunc
@cython.exceptval(-1, check=False)
def call_somehow(loop: Turn, watcher: Watcher, revents: cython.int) -> cython.int:
    if not loop.by_tool:
        return Loop.call(loop, watcher, revents)
    call: WatcherCall = WatcherCall.__new__(WatcherCall)
    call.loop = loop
    call.watcher = watcher
    call.revents = revents
    handle_class._run(new_handle(loop, call, (), None))
    if call.failure is not None:
        raise call.failure
    return 0


@cython.final
@cython.cclass
class WatcherCall:
    """What a tool gets to call for a watcher's event."""

    def __call__(self):
        try:
            Loop.call(self.loop, self.watcher, self.revents)
        except BaseException as error:
            self.failure = error

    def __repr__(self):
        return repr(self.watcher)


@cython.cfunc
@cython.exceptval(-1, check=False)
def tell_if_slow(loop: Turn, begin: float, called: object) -> cython.int:
    taken: float = monotonic() - begin
    if taken >= loop.slow_callback_duration:
        logger.warning("Executing %s took %.3f seconds", repr(called), taken)
    return 0
