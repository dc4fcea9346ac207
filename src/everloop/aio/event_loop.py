"""EventLoop: an asyncio event loop that is also a Loop of watchers.

The standard library's loop does what it does well, and keeps changing: name
resolution, happy eyeballs, servers, TLS, subprocesses' pipes, executors. What is hot
is compiled (core.py), and what needs threads or wake-up descriptors there is done by
watchers here.
"""

import asyncio
import warnings
from asyncio import SelectorEventLoop as StandardLoop

from everloop.aio.core import Core
from everloop.aio.descriptors.selecting import Selecting, Selector
from everloop.aio.mixins.connecting import Connecting
from everloop.aio.mixins.pipes import Piping
from everloop.aio.mixins.serving import Serving
from everloop.aio.mixins.signal_handling import SignalHandling
from everloop.aio.mixins.subprocesses import Subprocesses
from everloop.aio.running import run_as_guest, run_as_running
from everloop.constants import (
    EVBREAK_CANCEL,
    EVBREAK_ONE,
    EVFLAG_AUTO,
    EVRUN_NOWAIT,
    EVRUN_ONCE,
)
from everloop.loop import Loop


class EventLoop(
    Core,
    Connecting,
    Serving,
    Piping,
    Subprocesses,
    Selecting,
    SignalHandling,
    StandardLoop,
):
    """A complete asyncio event loop that is also a `Loop`.

    Takes the arguments of `Loop`. Coroutines and callbacks run at priority 0, after
    the watchers of that priority. `run_forever` and `run_until_complete` run it as an
    asyncio loop; so does `Loop.start`, which returns when nothing is left to wait for.
    `stop` ends each of them.

    An exception in asyncio's callbacks goes to the loop's exception handler; one in a
    watcher's callback where `Loop` says it goes.

    Raises what `Loop` raises.
    """

    _time_function = None

    def __init__(
        self,
        flags=EVFLAG_AUTO,
        callback=None,
        data=None,
        io_interval=0.0,
        timeout_interval=0.0,
        *,
        debug=False,
    ):
        Loop.__init__(self, flags, callback, data, io_interval, timeout_interval, debug=debug)
        self._open_descriptors()
        try:
            StandardLoop.__init__(self, Selector(self))
            self._notice_overrides()
        except BaseException:
            # There is less than close(), which __del__() would call, expects.
            self._closed = True
            raise

    def __repr__(self):
        return (
            f"<{type(self).__name__} running={self.is_running()} "
            f"closed={self.is_closed()} debug={self.get_debug()}>"
        )

    @property
    def time(self):
        """The loop's time in seconds, of the monotonic clock: call it.

        May be replaced, by a subclass or by assignment: all timers of the loop follow.
        """
        return self._time_function or self._system_time

    @time.setter
    def time(self, function):
        self._time_function = function
        self._patch_time(function)

    @time.deleter
    def time(self):
        self._time_function = None
        self._patch_time(None)

    @property
    def __class__(self):
        return type(self)

    @__class__.setter
    def __class__(self, kind):
        # As test libraries do that put a time() of their own into a loop.
        object.__dict__["__class__"].__set__(self, kind)
        self._notice_overrides()

    def _notice_overrides(self):
        """The class may have a time() or call_at() of its own, by which call_later() goes."""
        self._later_by_call_at = type(self).call_at is not call_at
        if type(self).time is not EventLoop.time:
            self._patch_time(self.time, ready=False)

    # Running

    def run_forever(self):
        """Run until `stop` is called.

        Raises RuntimeError if the loop is closed or running, or another runs in this
        thread; what else is raised is an exception that stopped the loop, such as
        KeyboardInterrupt.
        """
        self._later_by_call_at = getattr(self.call_at, "__self__", None) is not self or (
            type(self).call_at is not call_at
        )
        own = getattr(self._run_once, "__func__", None) is run_once
        run_as_running(self, Core._run_until_stopped if own else run_turn_by_turn)

    def start(self, flags=0):
        """Run as `Loop.start` does; coroutines run, too."""
        if self.is_running():
            try:
                return Loop.start(self, flags)
            finally:
                if self._stopping:
                    # Asked for before: the start within has forgotten it.
                    Loop.stop(self)
        if flags == EVRUN_NOWAIT and self._has_host():
            return run_as_guest(self, Loop.start, flags)
        return run_as_running(self, Loop.start, flags)

    def stop(self, how=1):
        """End `run_forever`, after the callbacks that are ready. As `Loop.stop`."""
        Loop.stop(self, how)
        # One within a callback ends alone.
        if self.depth <= 1 or how != EVBREAK_ONE:
            self._stopping = how != EVBREAK_CANCEL

    def close(self):
        """Release everything. Raises RuntimeError while the loop runs."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        StandardLoop.close(self)
        Loop.close(self)
        self._forget()

    def __enter__(self):
        Loop.__enter__(self)
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _run_once(self):
        Loop.start(self, EVRUN_NOWAIT if self._stopping else EVRUN_ONCE)

    # Sockets

    async def sock_recv(self, sock, n):
        """Receive at most n bytes; none at the end of the stream."""
        result = self._receive(sock, n)
        return result if type(result) is bytes else await finished(result)

    async def sock_recv_into(self, sock, buf):
        """Receive into a writable buffer; returns how many bytes."""
        result = self._receive_into(sock, buf)
        return result if type(result) is int else await finished(result)

    async def sock_sendall(self, sock, data):
        """Send all of a bytes-like object."""
        result = self._send_all(sock, data)
        if result is not None:
            await finished(result)

    async def sock_accept(self, sock):
        """Accept a connection; returns its socket and the peer's address."""
        result = self._accept(sock)
        return result if type(result) is tuple else await finished(result)

    # Files

    async def _sendfile_native(self, transp, file, offset, count):
        resume_reading = transp.is_reading()
        transp.pause_reading()
        await transp._make_empty_waiter()
        fd = transp._sock_fd
        reference = self._transport_references.pop(fd, None)
        try:
            return await self.sock_sendfile(transp._sock, file, offset, count, fallback=False)
        except ConnectionError as error:
            transp._force_close(error)
            raise
        finally:
            if reference is not None and transp._sock_fd == fd:
                self._transport_references[fd] = reference
            transp._reset_empty_waiter()
            if resume_reading:
                transp.resume_reading()

    def _sock_read_done(self, fd, fut, handle=None):
        # Not remove_reader(): by now a sock_recv() may be waiting, which that would end.
        if handle is None or not handle.cancelled():
            self._remove_reader(fd)

    def _sock_write_done(self, fd, fut, handle=None):
        if handle is None or not handle.cancelled():
            self._remove_writer(fd)

    # What the compiled core has no need of

    _ssock = _csock = None

    # unittest.mock deletes such attributes before it puts back what was there.
    _ready = property(Core._ready.__get__, Core._ready.__set__, lambda self: None)
    _scheduled = property(Core._scheduled.__get__, Core._scheduled.__set__, lambda self: None)

    def _make_self_pipe(self):
        self._internal_fds += 1  # the eventfd of the core

    def _close_self_pipe(self):
        self._internal_fds -= 1

    def _write_to_self(self):
        self.call_soon_threadsafe(int)

    def _add_callback(self, handle):
        if not handle._cancelled:
            self.call_soon(handle._run, context=handle._context.copy())

    def _add_callback_signalsafe(self, handle):
        if not handle._cancelled:
            self.call_soon_threadsafe(handle._run)

    def _timer_handle_cancelled(self, handle):
        pass


run_once = EventLoop._run_once
call_at = EventLoop.call_at


def run_turn_by_turn(loop):
    """What run_forever() does if a subclass or a tool has a _run_once() of its own."""
    loop.ref()
    try:
        while not loop.closed:
            loop._run_once()
            if loop._stopping:
                return
    finally:
        if not loop.closed:
            loop.unref()


async def finished(operation):
    """Wait for the result of a socket operation."""
    try:
        return await operation.waiting
    finally:
        operation.finish()


def new_event_loop() -> EventLoop:
    """A new EventLoop: a loop factory for asyncio.Runner, asyncio.run and others."""
    return EventLoop()


def run(main, *, debug=None):
    """Run a coroutine in a new EventLoop until it is done, and return its result.

    As asyncio.run() does, with which it shares everything but the loop.
    debug: whether the loop is in asyncio's debug mode; None leaves it as it is.

    Raises RuntimeError in a thread where a loop runs already: `await` there instead.
    """
    if in_running_loop():
        if asyncio.iscoroutine(main):
            main.close()  # it would complain that it was never awaited
        raise RuntimeError("everloop.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


def in_running_loop():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def install() -> None:
    """Make asyncio.new_event_loop() and asyncio.run() use EventLoop, by the policy.

    Pythons from 3.14 on deprecate event loop policies, and 3.16 has none: use `run`, or
    give `new_event_loop` as a loop factory. Raises RuntimeError where there are none.
    """
    if not hasattr(asyncio, "set_event_loop_policy"):
        raise RuntimeError(
            "this Python has no event loop policies: use everloop.run(), or give "
            "everloop.new_event_loop as a loop factory"
        )
    asyncio.set_event_loop_policy(event_loop_policy()())


def event_loop_policy():
    """The standard policy, but for the loop that it makes. Newer Pythons warn of policies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base = asyncio.DefaultEventLoopPolicy
    return type("EventLoopPolicy", (base,), {"_loop_factory": EventLoop, "__module__": __name__})
