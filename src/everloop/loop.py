"""Loop: waits for the events of its watchers and calls them back."""

import os

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop import forking
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.backends.registry import new_backend
from cython.cimports.everloop.clock import FOREVER, NANO, Clock, from_seconds, nanoseconds
from cython.cimports.everloop.constants import (
    EV_ASYNC,
    EV_CHECK,
    EV_FORK,
    EV_IDLE,
    EV_MAXPRI,
    EV_MINPRI,
    EV_PREPARE,
    EVBACKEND_MASK,
    EVBREAK_ALL,
    EVBREAK_CANCEL,
    EVBREAK_ONE,
    EVFLAG_AUTO,
    EVFLAG_FORKCHECK,
    EVFLAG_NOENV,
    EVFLAG_NOINOTIFY,
    EVFLAG_NOSIGMASK,
    EVFLAG_NOTIMERFD,
    EVFLAG_SIGNALFD,
    EVRUN_NOWAIT,
    EVRUN_ONCE,
)
from cython.cimports.everloop.failures import callback_failed, describe, warn
from cython.cimports.everloop.jumps import watch_for_jumps, watch_no_longer
from cython.cimports.everloop.loop_inline import freshen
from cython.cimports.everloop.queues.array import WatcherArray
from cython.cimports.everloop.queues.descriptors import DescriptorTable
from cython.cimports.everloop.queues.descriptors_inline import feed as feed_descriptor
from cython.cimports.everloop.queues.heap import Heap
from cython.cimports.everloop.queues.pending import LANES, PendingEvent, PendingQueue
from cython.cimports.everloop.queues.pending_inline import pop, push
from cython.cimports.everloop.queues.roster import Roster
from cython.cimports.everloop.signals import check_signum, release_all
from cython.cimports.everloop.sys.compiler import __sync_synchronize
from cython.cimports.everloop.sys.poll import POLLIN, pollfd, ppoll
from cython.cimports.everloop.sys.process import (
    F_GETFD,
    fcntl,
    getegid,
    geteuid,
    getgid,
    getpid,
    getuid,
)
from cython.cimports.everloop.sys.python import (
    PY_VECTORCALL_ARGUMENTS_OFFSET,
    Py_DECREF,
    Py_EnterRecursiveCall,
    Py_LeaveRecursiveCall,
    Py_REFCNT,
    PyErr_CheckSignals,
    PyThread_get_thread_ident,
    alias_method,
    call_vector,
    nest_in_thread,
    unnest_in_thread,
)
from cython.cimports.everloop.unwatched import internal_refused
from cython.cimports.everloop.waker import Waker
from cython.cimports.everloop.watcher import (
    ACTIVE,
    FED,
    INTERNAL,
    OWN,
    STRAY,
    Watcher,
    delete_attribute,
)
from cython.cimports.everloop.watchers.child import forget_children
from cython.cimports.everloop.watchers.embed import (
    follow_rebuild,
    stop_embedders,
    sweep_embedded,
)
from cython.cimports.everloop.watchers.io import Io, new_io
from cython.cimports.everloop.watchers.scheduler import report_failed
from cython.cimports.everloop.watchers.signal import (
    feed_signal_watchers,
    leave_signalfd,
    queue_signals,
    reopen_signalfd,
)
from cython.cimports.everloop.watchers.stat import new_stat, rebuild_stats
from cython.cimports.everloop.watchers.timer import new_timer, queue_expired
from cython.cimports.everloop.watchers.wall_clock import queue_due, reschedule_all
from cython.cimports.libc.errno import EBADF
from cython.cimports.posix.time import timespec

from everloop.backends.registry import recommended_backends
from everloop.breath import breathe
from everloop.errors import Error
from everloop.watchers.async_ import Async
from everloop.watchers.check import Check
from everloop.watchers.child import Child
from everloop.watchers.embed import Embed
from everloop.watchers.fork import Fork
from everloop.watchers.idle import Idle
from everloop.watchers.periodic import Periodic
from everloop.watchers.prepare import Prepare
from everloop.watchers.scheduler import Scheduler
from everloop.watchers.signal import Signal

# Py_TPFLAGS_HEAPTYPE: set in classes made by a class statement.
HEAP_TYPE = 1 << 9

KNOWN_FLAGS = (
    EVBACKEND_MASK
    | EVFLAG_NOINOTIFY
    | EVFLAG_SIGNALFD
    | EVFLAG_NOSIGMASK
    | EVFLAG_NOTIMERFD
    | EVFLAG_NOENV
    | EVFLAG_FORKCHECK
)


@cython.cclass
class Loop:
    """An event loop: waits for the events of its watchers and calls them back.

    flags: EVFLAG_* and EVBACKEND_* bits; without any of the latter the best
    recommended backend is used. The environment variable LIBEV_FLAGS replaces
    them, unless EVFLAG_NOENV is given or the process is setuid or setgid.
    callback: called with the loop instead of running what is pending; it then
    calls `invoke`. While it is set, an exception in any callback stops the loop.
    data: anything; kept as the attribute of that name.
    io_interval: seconds that the loop lets pass between looking at descriptors,
    to serve more events at once at the price of latency.
    timeout_interval: seconds by which timers may be late, to serve more at once.
    debug: every exception that leaves a callback stops the loop and is raised
    by `start`.

    A loop is run by one thread at a time. Other threads may start and stop its
    watchers, call `stop`, and `Async.send`: a waiting loop notices at once.

    Raises ValueError for unknown flags, Error if no backend of those asked for
    is available, OSError if the kernel has no descriptors left for it.
    """

    def __cinit__(self, *args, **kwargs):
        self.roster = Roster()
        self.queue = PendingQueue()
        self.descriptors = DescriptorTable()
        self.timers = Heap()
        self.dates = Heap()
        self.failed = []
        self.signals = {}
        self.children = []
        self.pidfds = {}
        self.embedders = []
        self.unwatched = []
        self.prepares = WatcherArray()
        self.checks = WatcherArray()
        self.forks = WatcherArray()
        self.asyncs = WatcherArray()
        self.idles = tuple([WatcherArray() for _ in range(LANES)])
        self.waker = Waker()
        self.wakeup = Watcher.__new__(Watcher)
        self.wakeup.rank = EV_MAXPRI - EV_MINPRI
        self.wakeup.flags = ACTIVE
        self._clock = Clock()
        self.last_number = 0

    def __dealloc__(self):
        release_all(self)

    def __init__(
        self,
        flags=EVFLAG_AUTO,
        callback=None,
        data=None,
        io_interval: cython.double = 0.0,
        timeout_interval: cython.double = 0.0,
        *,
        debug: cython.bint = False,
    ):
        if self.state != UNMADE:
            raise Error("Loop.__init__() can't be called twice")
        wanted: cython.int = flags_to_use(whole("flags", flags))
        io_nanoseconds: nanoseconds = interval("io_interval", io_interval)
        timeout_nanoseconds: nanoseconds = interval("timeout_interval", timeout_interval)
        check_loop_callback(callback)
        self.kernel = new_backend(
            wanted & EVBACKEND_MASK or recommended_backends(), self.descriptors, self.queue
        )
        if self.kernel is None:
            raise Error(f"none of the backends in flags {wanted:#x} is available here")
        self.kernel.open()
        self.flags = wanted
        self.takes_signals_by_fd = wanted & EVFLAG_SIGNALFD != 0
        self._callback = callback
        self._data = data
        self._io_interval = io_nanoseconds
        self._timeout_interval = timeout_nanoseconds
        self.debug = debug
        self.generation = forking.generation
        self.pid = getpid()
        self.state = OPEN
        self.read_clocks()

    # Running

    def start(self, flags=0) -> bool:
        """Wait for events and call back, until `stop` or until there is nothing to wait for.

        flags: 0; EVRUN_NOWAIT, one pass that does not block; or EVRUN_ONCE, one
        pass that may block. May be called in a callback, and then runs the loop
        within the loop.

        Returns True if watchers (or references) are left, False if none are.

        Raises whatever leaves a callback that is fatal, any exception of a callback
        with `debug`, KeyboardInterrupt and SystemExit always; OSError that names the
        watcher for a bad descriptor (that watcher is stopped); Error in a second
        thread. The loop can be started again after each of these, and nothing that
        was pending is lost.
        """
        self.check_open()
        wanted: cython.int = whole("flags", flags)
        if wanted & ~(EVRUN_NOWAIT | EVRUN_ONCE):
            raise ValueError(f"flags must be 0, EVRUN_NOWAIT or EVRUN_ONCE, not {flags!r}")
        self.enter()
        try:
            self.run(wanted)
        finally:
            self.runs -= 1
            self.unnest()
            if self.breaking == EVBREAK_ONE:
                self.breaking = EVBREAK_CANCEL
        return self.references > 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run(self, flags: cython.int) -> cython.int:
        """Pass after pass of the loop: the order of its phases."""
        self.breaking = EVBREAK_CANCEL
        report_failed(self)
        self.run_pending()
        while self.breaking == EVBREAK_CANCEL:
            self.notice_fork()
            self.queue_prepares()
            if self.breaking != EVBREAK_CANCEL or self.state != OPEN:
                break
            self.hand_over_changes()
            self.wait(self.blocking_time(flags))
            self.refresh_time()
            queue_expired(self)
            queue_due(self)
            report_failed(self)
            self.queue_idles()
            self.queue_checks()
            self.run_pending()
            if flags or self.references <= 0 or self.state != OPEN:
                break
        return 0

    def stop(self, how=1) -> None:
        """Make `start` return, after the callbacks already pending have run. Thread-safe.

        how: EVBREAK_ONE, the innermost start; EVBREAK_ALL, all of them;
        EVBREAK_CANCEL takes back a stop that has not taken effect yet.
        """
        wanted: cython.int = whole("how", how)
        if wanted < EVBREAK_CANCEL or wanted > EVBREAK_ALL:
            raise ValueError(f"how must be EVBREAK_ONE, EVBREAK_ALL or EVBREAK_CANCEL, not {how!r}")
        self.breaking = wanted
        self.wake_if_waiting()

    def invoke(self) -> None:
        """Run all pending callbacks now.

        Exceptions in them are reported, or raised from here where `start` would
        raise them.
        """
        self.check_open()
        self.nest()
        try:
            self.invoke_pending()
        finally:
            self.unnest()

    def reset(self) -> None:
        """Rebuild the kernel's side before the next pass, and trigger Fork watchers.

        For a child process after a fork; one that was forked with os.fork() or the
        like needs no call, since the loop notices by itself.
        """
        self.check_open()
        if self.pid != getpid():
            self.become_child()
        self.reset_requested = True

    def close(self) -> None:
        """Stop all watchers and release all descriptors; the loop can't be used again.

        In a callback, it makes `start` return once that callback has. Does nothing
        if the loop is closed. Raises Error while another thread runs the loop.
        """
        if self.state != OPEN:
            self.state = CLOSED
            return
        self.after_fork()
        if self.runs and self.thread != PyThread_get_thread_ident():
            raise Error("close() can't be called while another thread runs the loop")
        stop_embedders(self)
        for watcher in self.roster.watchers():
            if not cython.cast(Watcher, watcher).flags & INTERNAL:
                retire(self, watcher)
        watch_no_longer(self)
        release_all(self)
        for watcher in self.roster.watchers():
            retire(self, watcher)
        self.queue.clear()
        self.unwatched.clear()
        self.retry = None
        self.state = CLOSED
        self.breaking = EVBREAK_ALL
        self.references = 0
        self.kernel.close()
        self.waker.close()

    def __enter__(self):
        self.check_open()
        return self

    def __exit__(self, *exc_info):
        self.close()

    @property
    def closed(self) -> bool:
        """Whether `close` has been called. Read only."""
        return self.state == CLOSED

    # Time

    def now(self) -> float:
        """The wall-clock time of the current pass, in seconds since 1970.

        That is when the last wait ended, or when it was first needed since; all
        callbacks of a pass see the same.
        """
        freshen(self)
        return cython.cast(cython.double, self.mono + self.wall_ahead) / 1e9

    def update(self) -> None:
        """Refresh the loop's time, as after a long computation in a callback."""
        self.read_clocks()

    def suspend(self) -> None:
        """Stop the time of timers, until `resume`."""
        self.read_clocks()
        if self.suspended == 0:
            self.suspended = self.mono

    def resume(self) -> None:
        """Go on after `suspend`: for timers no time has passed in between."""
        self.read_clocks()
        if self.suspended:
            self.timers.delay(self.mono - self.suspended)
        self.suspended = 0

    @property
    def clock(self) -> Clock:
        """Where the time comes from: a Clock. Tests may set a ManualClock."""
        return self._clock

    @clock.setter
    def clock(self, clock: Clock):
        if clock is None:
            raise TypeError("clock must be a Clock, not None")
        freshen(self)
        before: nanoseconds = self.mono
        self._clock, clock = clock, self._clock
        self.read_clocks()
        self.timers.delay(self.mono - before)
        self.audited_at = self.mono
        watch_no_longer(self)

    # References

    def ref(self) -> None:
        """Count one reference more that keeps `start` running."""
        self.references += 1

    def unref(self) -> None:
        """Count one reference less: `start` does not wait for one of the active watchers.

        Before that watcher is stopped, call `ref`.
        """
        self.references -= 1
        self.wake_if_waiting()

    def incref(self) -> None:
        """The same as `ref`."""
        self.references += 1

    def decref(self) -> None:
        """The same as `unref`."""
        self.unref()

    # Events from elsewhere

    def feed_fd_event(self, fd, revents) -> None:
        """Queue the Io watchers of fd as if the kernel had reported revents."""
        self.check_open()
        number: cython.int = whole("fd", fd)
        bits: cython.int = whole("revents", revents)
        if number < 0:
            raise ValueError(f"fd must not be negative, not {fd!r}")
        self.descriptors.feed_strays(number, bits, self.queue)
        if number < self.descriptors.capacity:
            feed_descriptor(cython.address(self.descriptors.slots[number]), bits, self.queue)
        self.wake_if_waiting()

    def feed_signal_event(self, signum) -> None:
        """Queue this loop's watchers of a signal as if it had arrived.

        Raises ValueError for what is not a signal.
        """
        self.check_open()
        feed_signal_watchers(self, check_signum(signum))
        self.wake_if_waiting()

    # Watchers

    def io(self, fd, events, callback, data=None, priority=0):
        """A new Io watcher of this loop."""
        return new_io(self, fd, events, callback, data, priority)

    def timer(self, after: cython.double, repeat: cython.double, callback, data=None, priority=0):
        """A new Timer of this loop."""
        return new_timer(self, after, repeat, callback, data, priority)

    def periodic(self, offset, interval, callback, data=None, priority=0):
        """A new Periodic of this loop."""
        return Periodic(offset, interval, self, callback, data, priority)

    def scheduler(self, reschedule, callback, data=None, priority=0):
        """A new Scheduler of this loop."""
        return Scheduler(reschedule, self, callback, data, priority)

    def signal(self, signum, callback, data=None, priority=0):
        """A new Signal watcher of this loop."""
        return Signal(signum, self, callback, data, priority)

    def child(self, pid, trace, callback, data=None, priority=0):
        """A new Child watcher of this loop."""
        return Child(pid, trace, self, callback, data, priority)

    def embed(self, other, callback=None, data=None, priority=0):
        """A new Embed watcher of this loop."""
        return Embed(other, self, callback, data, priority)

    def fork(self, callback, data=None, priority=0):
        """A new Fork watcher of this loop."""
        return Fork(self, callback, data, priority)

    def stat(self, path, interval: cython.double, callback, data=None, priority=0):
        """A new Stat of this loop."""
        return new_stat(self, path, interval, callback, data, priority)

    def idle(self, callback, data=None, priority=0):
        """A new Idle watcher of this loop."""
        return Idle(self, callback, data, priority)

    def prepare(self, callback, data=None, priority=0):
        """A new Prepare watcher of this loop."""
        return Prepare(self, callback, data, priority)

    def check(self, callback, data=None, priority=0):
        """A new Check watcher of this loop."""
        return Check(self, callback, data, priority)

    def async_(self, callback, data=None, priority=0):
        """A new Async watcher of this loop; getattr(loop, "async") is the same."""
        return Async(self, callback, data, priority)

    @property
    def watchers(self) -> tuple:
        """The active watchers, in the order in which they were started. Read only."""
        return tuple([watcher for watcher in self.roster.watchers() if is_active(watcher)])

    # Attributes

    @property
    def callback(self):
        """None, or called with the loop instead of running what is pending."""
        return self._callback

    @callback.setter
    def callback(self, callback):
        check_loop_callback(callback)
        self._callback, callback = callback, self._callback

    @property
    def data(self):
        """Anything; everloop does nothing with it."""
        return self._data

    @data.setter
    def data(self, data):
        self._data, data = data, self._data

    @property
    def io_interval(self) -> float:
        """Seconds that pass between looks at descriptors."""
        return cython.cast(cython.double, self._io_interval) / 1e9

    @io_interval.setter
    def io_interval(self, seconds: cython.double):
        self._io_interval = interval("io_interval", seconds)

    @property
    def timeout_interval(self) -> float:
        """Seconds by which timers may be late."""
        return cython.cast(cython.double, self._timeout_interval) / 1e9

    @timeout_interval.setter
    def timeout_interval(self, seconds: cython.double):
        self._timeout_interval = interval("timeout_interval", seconds)

    @property
    def default(self) -> bool:
        """Whether this is the loop that `default_loop` returns. Read only."""
        return self.is_default

    @property
    def backend(self) -> int:
        """The EVBACKEND_* bit of the backend in use. Read only."""
        return self.kernel.flag if self.kernel is not None else 0

    @property
    def pending(self) -> int:
        """How many events wait for their callbacks. Read only."""
        return self.queue.total()

    @property
    def iteration(self) -> int:
        """How many times the loop has polled the kernel. Read only."""
        return self.passes

    @property
    def depth(self) -> int:
        """How many calls of `start` are under way: 0 outside, 1 in a callback. Read only."""
        self.after_fork()
        return self.runs

    def verify(self) -> None:
        """Check all internal structures.

        Raises Error that names the broken invariant: a fault of everloop itself.
        """
        self.check_open()
        self.roster.verify()
        self.queue.verify()
        self.descriptors.verify()
        self.timers.verify()
        self.dates.verify()
        for array in (self.prepares, self.checks, self.forks, self.asyncs, *self.idles):
            cython.cast(WatcherArray, array).verify()
        if self.idle_count != sum([cython.cast(WatcherArray, a).count for a in self.idles]):
            raise Error("loop: the count of Idle watchers is wrong")

    def __delattr__(self, name):
        delete_attribute(self, name)

    def __repr__(self):
        if self.state != OPEN:
            return f"<{type(self).__name__} {'closed' if self.state == CLOSED else 'not made'}>"
        names = {1: "select", 2: "poll", 4: "epoll"}
        state = "running" if self.runs else "stopped"
        return (
            f"<{type(self).__name__} {state}, {names[self.kernel.flag]}, "
            f"{len(self.watchers)} active, {self.queue.total()} pending>"
        )

    # What watchers call

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check_open(self) -> cython.int:
        if self.state != OPEN:
            if self.state == CLOSED:
                raise Error("the loop is closed")
            raise Error("Loop.__init__() has not been called")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def activate(self, watcher: Watcher) -> cython.int:
        """The watcher is active from here on; its kind's structure has it already."""
        if watcher.seat:
            # It was pending; its place is that of its start.
            self.roster.leave(watcher)
        self.roster.board(watcher)
        watcher.flags = (watcher.flags | ACTIVE) & ~FED
        if not watcher.flags & INTERNAL:
            self.references += 1
        if self.waiting:
            self.waker.wake()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def deactivate(self, watcher: Watcher) -> cython.int:
        """The watcher is stopped; its kind's structure has it no longer."""
        if not watcher.flags & INTERNAL:
            self.references -= 1
        watcher.flags &= OWN
        if watcher.slot:
            self.queue.take_back(watcher)
        self.roster.leave(watcher)
        if self.waiting:
            self.waker.wake()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def feed(self, watcher: Watcher, revents: cython.int) -> cython.int:
        self.roster.reserve()
        push(self.queue, watcher, revents)
        if watcher.seat == 0:
            watcher.flags |= FED
            self.roster.board(watcher)
        self.wake_if_waiting()
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def take_back(self, watcher: Watcher) -> cython.int:
        """Take back the watcher's pending event; returns its bits."""
        revents: cython.int = self.queue.take_back(watcher)
        if not watcher.flags & ACTIVE:
            watcher.flags &= OWN
            self.roster.leave(watcher)
        return revents

    @cython.cfunc
    @cython.exceptval(check=False)
    def wake_if_waiting(self) -> cython.void:
        """Make a wait in another thread return: there is something new."""
        if self.waiting:
            self.waker.wake()

    @cython.cfunc
    @cython.exceptval(check=False)
    def request_wakeup(self) -> cython.void:
        """Have serve_wakeup() run in this pass or the next."""
        self.wakeup_requested = True
        if self.alert:
            self.waker.wake_without_gil()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signal_claimed(self, signum: cython.int) -> cython.int:
        """A Signal watcher has been started: the loop's C handler has the signal now."""
        return 0

    # The phases of a pass

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def notice_fork(self) -> cython.int:
        """In a forked child, or after reset(): make the kernel's side anew."""
        self.after_fork()
        if self.reset_requested:
            self.rebuild()
            self.reset_requested = False
            self.forks.feed_all(self.queue, EV_FORK)
            if self.forks.count:
                self.run_pending()
        elif self.kernel.lost:
            self.rebuild()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def queue_prepares(self) -> cython.int:
        """Run Prepare watchers, before the descriptors that they start are handed over."""
        if self.prepares.count:
            self.prepares.feed_all(self.queue, EV_PREPARE)
            self.run_pending()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hand_over_changes(self) -> cython.int:
        """Tell the kernel which descriptors to watch for what."""
        if self.inherited or self.generation != forking.generation:
            self.notice_fork()
        if self.dates.count and not self.jumps_tried:
            watch_for_jumps(self)
        if self.descriptors.strays:
            self.descriptors.take_in_strays()
        if self.descriptors.change_count:
            self.descriptors.hand_over(self.kernel)
        while self.kernel.refused_fd >= 0 or self.descriptors.strays:
            self.raise_refused()
            self.descriptors.hand_over(self.kernel)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def blocking_time(self, flags: cython.int) -> nanoseconds:
        """How long to wait at most."""
        if (
            flags & EVRUN_NOWAIT
            or self.queue.cursor >= 0
            or self.idle_count
            or self.wakeup_requested
            or self.signals_pending
            or self.references <= 0
        ):
            return 0
        timeout: nanoseconds = FOREVER
        before: nanoseconds = self.mono
        if self.dates.count:
            self.read_clocks()
        elif self.timers.count or self._io_interval:
            self.mono = self._clock.monotonic()
        if self.timers.count:
            timeout = self.timers.nodes[0].at - self.mono
        if self.dates.count:
            timeout = min(timeout, self.dates.nodes[0].at - self.mono - self.wall_ahead)
            if self.jumps is None:
                timeout = min(timeout, 60 * cython.cast(nanoseconds, NANO))
        if timeout < self._timeout_interval:
            timeout = self._timeout_interval
        if timeout <= 0:
            return 0
        if self._io_interval:
            span: nanoseconds = min(self._io_interval - (self.mono - before), timeout)
            if span > 0:
                self.pause(span)
                timeout = timeout - span if timeout < FOREVER else timeout
        return timeout

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        """Ask the kernel what happened, and queue it."""
        self.passes += 1
        if timeout == 0 and self.held < 64:
            self.held += 1
            self.look()
        elif not self.poll_eagerly():
            self.wait_audited(timeout)
        return self.take_notice()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take_notice(self) -> cython.int:
        """After the kernel was asked: of wake-ups, signals and what it refused."""
        if self.kernel.woken:
            self.waker.drain()
        if self.wakeup_requested or self.signals_pending:
            push(self.queue, self.wakeup, EV_ASYNC)
        if self.kernel.refused_fd >= 0:
            self.raise_refused()
        return PyErr_CheckSignals()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refresh_time(self) -> cython.int:
        """Read the clock if there are timers, else when somebody first asks (freshen)."""
        self.stale = True
        if self.timers.count or self.dates.count or self._io_interval:
            self.mono = self._clock.monotonic()
            self.stale = False
            if self.dates.count or self.mono - self.wall_read > NANO // 2:
                self.read_clocks()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def queue_idles(self) -> cython.int:
        """Queue the Idle watchers of the highest priority there is, if nothing is in the way."""
        rank: cython.int = LANES
        if self.idle_count == 0:
            return 0
        while rank:
            rank -= 1
            if self.queue.cursor >= rank:
                return 0
            array: WatcherArray = self.idles[rank]
            if array.count:
                return array.feed_all(self.queue, EV_IDLE)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def queue_checks(self) -> cython.int:
        """Queue Check watchers last, so that they run first among equals."""
        if self.checks.count:
            self.checks.feed_all(self.queue, EV_CHECK)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_pending(self) -> cython.int:
        """Run everything pending, or have the loop's callback do it."""
        if self._callback is None:
            return self.invoke_pending()
        try:
            self._callback(self)
        except BaseException:
            self.breaking = EVBREAK_ALL
            raise
        return 0

    # Calling back

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def invoke_pending(self) -> cython.int:
        """Call back for everything pending."""
        return self.invoke_lanes(0)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def invoke_lanes(self, lowest: cython.int) -> cython.int:
        """Call back for what is pending in the lane ``lowest`` and above."""
        event: PendingEvent
        queue: PendingQueue = self.queue
        budget: cython.int = 1024
        if queue.cursor >= lowest:
            self.audit_owed = True
        while queue.cursor >= lowest:
            budget -= 1
            if budget == 0:
                budget = 1024
                give_way()
            event = pop(queue)
            if event.watcher == cython.NULL:
                continue
            watcher: Watcher = cython.cast(Watcher, event.watcher)
            watcher.slot = 0
            if not watcher.flags & ACTIVE and self.disown(event.watcher):
                continue
            self.call(watcher, event.revents)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def disown(self, watcher: cython.pointer[PyObject]) -> cython.int:
        """Own a watcher no longer that is inactive and was pending.

        Returns 1 if nobody else is interested in it: it was only fed, and the last
        references are the roster's and the caller's.
        """
        fed: cython.bint = cython.cast(Watcher, watcher).flags & FED
        forgotten: cython.int = fed and Py_REFCNT(watcher) == 2
        cython.cast(Watcher, watcher).flags &= OWN
        self.roster.leave(cython.cast(Watcher, watcher))
        return forgotten

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def call(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """Call the watcher's callback and deal with an exception that leaves it."""
        callback: object = watcher._callback
        if revents != self.last_revents:
            if revents < 0:
                return raise_error_event(self, watcher)
            self.make_number(watcher, revents)
        if callback is None:
            return self.serve_wakeup() if watcher is self.wakeup else self.serve(watcher, revents)
        number: object = self.last_number
        arguments: cython.pointer[PyObject][3]
        arguments[1] = cython.cast(cython.pointer[PyObject], watcher)
        arguments[2] = cython.cast(cython.pointer[PyObject], number)
        result: cython.pointer[PyObject] = call_vector(
            cython.cast(cython.pointer[PyObject], callback),
            cython.address(arguments[1]),
            2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
        )
        if result == cython.NULL:
            return callback_failed(self, watcher, callback)
        Py_DECREF(result)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def make_number(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """Have revents as an object. Without memory for it, the event is pending again."""
        try:
            self.last_number = revents
        except MemoryError:
            if watcher.flags & ACTIVE:
                push(self.queue, watcher, revents)
            else:
                self.feed(watcher, revents)
            raise
        self.last_revents = revents
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """Do what a watcher without a callback stands for."""
        return sweep_embedded(watcher)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve_wakeup(self) -> cython.int:
        """Queue the Async watchers that were sent to, and those of signals."""
        if self.signals_pending:
            queue_signals(self)
        self.wakeup_requested = False
        i: cython.uint = self.asyncs.count
        try:
            while i:
                i -= 1
                watcher: Watcher = cython.cast(Watcher, self.asyncs.watchers[i])
                if watcher.extra:
                    push(self.queue, watcher, EV_ASYNC)
                    watcher.extra = 0
        except BaseException:
            self.wakeup_requested = True
            raise
        return 0

    # Waiting

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look(self) -> cython.int:
        """Ask the kernel without waiting, if it can have anything to say."""
        if self.descriptors.linked:
            return self.kernel.poll(0, True)
        self.kernel.woken = False
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def poll_eagerly(self) -> cython.int:
        """Where events are likely to be there already, get them without giving up the GIL.

        Returns how many there were. A guess that turns out wrong is not repeated
        for a while, since it costs a system call.
        """
        if self.eager < 2:
            return 0
        if self.held >= 64:
            self.held = 0
            give_way()
        ready: cython.int = self.kernel.poll(0, True)
        if ready == 0 and not self.kernel.woken:
            self.eager = -16
            return 0
        self.held += 1
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait_audited(self, timeout: nanoseconds) -> cython.int:
        """Wait; meanwhile have descriptors looked at that callbacks may have closed.

        A backend that is silent about a closed descriptor would let its watcher
        wait for ever. The look is put off so that it takes no more than a hundredth
        of the time, and made once after callbacks have run.
        """
        if not (self.kernel.silent and self.audit_owed):
            return self.block(timeout)
        self.mono = self._clock.monotonic()
        due: nanoseconds = self.audited_at + max(100 * self.audit_cost, 100000000) - self.mono
        if due > 0:
            if due >= timeout:
                return self.block(timeout)
            if self.block(due) or self.kernel.woken:
                return 0
            elapsed: nanoseconds = self._clock.monotonic() - self.mono
            if elapsed < due:
                return 0
            timeout = timeout - elapsed if timeout < FOREVER else timeout
        self.audit()
        if self.kernel.refused_fd >= 0 or self.kernel.lost:
            return 0
        return self.block(max(timeout, 0))

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def block(self, timeout: nanoseconds) -> cython.int:
        """Wait without the GIL; returns the number of events."""
        if self._clock.manual:
            ready: cython.int = self.kernel.poll(0, True)
            if ready or self.kernel.woken:
                return ready
            timeout = self._clock.wait(timeout)
        self.held = 0
        if timeout == 0:
            # Not during the poll: without a waker yet, another thread could have one
            # opened, and the kernel would write to arrays that have moved.
            ready = self.kernel.poll(0, True)
            give_way()
            return ready
        self.open_waker()
        self.waiting = True
        self.alert = True
        __sync_synchronize()
        try:
            # Signals that came while C code ran: the wait would not end for them. What
            # their handlers do does end it.
            PyErr_CheckSignals()
            if self.hurries():
                timeout = 0
            ready = self.kernel.poll(timeout, False)
        finally:
            self.wait_is_over()
        if ready and self.eager < 2:
            self.eager += 1
        return ready

    @cython.cfunc
    @cython.exceptval(check=False)
    def hurries(self) -> cython.bint:
        """Whether something has come up since it was decided to wait."""
        return self.signals_pending != 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def wait_is_over(self) -> cython.void:
        """Nobody needs to end a wait; but a loop that embeds this one may be waiting."""
        self.waiting = False
        self.alert = len(self.embedders) > 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def audit(self) -> cython.int:
        """Have the backend look for descriptors that were closed or reopened."""
        begin: nanoseconds = self._clock.monotonic()
        self.kernel.audit()
        self.audit_owners()
        self.audited_at = self._clock.monotonic()
        self.audit_cost = self.audited_at - begin
        self.audit_owed = False
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def audit_owners(self) -> cython.int:
        """Have those looked at that know better than the kernel what was closed."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def pause(self, span: nanoseconds) -> cython.int:
        """Let time pass without looking at descriptors, but for the loop's own eventfd."""
        if self._clock.manual:
            self._clock.wait(span)
            return 0
        file: pollfd
        limit: timespec
        self.open_waker()
        file.fd = self.waker.fd
        file.events = POLLIN
        limit.tv_sec = span // 1000000000
        limit.tv_nsec = span % 1000000000
        self.waiting = True
        self.alert = True
        with cython.nogil:
            ppoll(cython.address(file), 1, cython.address(limit), cython.NULL)
        self.wait_is_over()
        return PyErr_CheckSignals()

    # Steps of phases

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open_waker(self) -> cython.int:
        """Have an eventfd watched: before the first wait that others may have to end."""
        self.after_fork()
        if self.inherited:
            # What the parent's kernel knows is none of ours: not even for this.
            self.rebuild()
        if self.waker.fd < 0:
            self.waker.open(self.descriptors)
            try:
                self.kernel.watch_waker(self.waker.fd)
            except BaseException:
                self.waker.close()
                raise
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def enter(self) -> cython.int:
        """Note that start() runs, in this thread."""
        self.after_fork()
        me: cython.ulong = PyThread_get_thread_ident()
        if self.runs and self.thread != me:
            raise Error("start() can't be called while another thread runs the loop")
        self.nest()
        self.thread = me
        self.runs += 1
        if self.runs == 1 and self.kernel.silent and not (self.reset_requested or self.kernel.lost):
            now: nanoseconds = self._clock.monotonic()
            self.audit_owed = True
            if now - self.audited_at >= 20 * self.audit_cost:
                self.audit()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def nest(self) -> cython.int:
        """Count a call that leads to callbacks; RecursionError before the C stack ends."""
        Py_EnterRecursiveCall(" in a callback of the loop")
        if nest_in_thread():
            Py_LeaveRecursiveCall()
            raise RecursionError("callbacks are nested too deeply")
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def unnest(self) -> cython.void:
        unnest_in_thread()
        Py_LeaveRecursiveCall()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def after_fork(self) -> cython.int:
        """Called before anything that concerns this process only: is it a forked child?"""
        if self.generation != forking.generation or (
            self.flags & EVFLAG_FORKCHECK and getpid() != self.pid
        ):
            self.become_child()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def become_child(self) -> cython.int:
        """Go on in a forked child, without what belongs to its parent.

        Threads other than the one that forked are gone. What is started from here on
        is the child's; the kernel's side is made anew when it is needed.
        """
        self.generation = forking.generation
        self.pid = getpid()
        self.inherited = True
        self.reset_requested = True
        self.wait_is_over()
        if self.thread != PyThread_get_thread_ident():
            self.runs = 0
        forget_children(self)
        watch_no_longer(self)
        return leave_signalfd(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def rebuild(self) -> cython.int:
        """Make the kernel's side anew; all descriptors are to be handed over again."""
        self.kernel.close()
        # Until all is done: what fails is tried again in the next pass.
        self.kernel.lost = True
        self.kernel.open()
        self.inherited = False
        self.descriptors.mark_all_changed()
        if self.waker.fd >= 0:
            self.reopen_waker()
        follow_rebuild(self)
        reopen_signalfd(self)
        rebuild_stats(self)
        self.kernel.lost = False
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def reopen_waker(self) -> cython.int:
        """Have an eventfd watched by the new kernel's side; not the parent's."""
        self.waker.close()
        self.open_waker()
        if self.wakeup_requested or self.signals_pending:
            # For a loop that embeds this one.
            self.waker.wake()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def read_clocks(self) -> cython.int:
        """Refresh both the monotonic and the wall-clock time; the latter may jump."""
        before: nanoseconds = self.wall_ahead
        self.mono = self._clock.monotonic()
        self.wall_ahead = self._clock.wall() - self.mono
        self.wall_read = self.mono
        self.stale = False
        if self.dates.count and abs(self.wall_ahead - before) >= NANO:
            reschedule_all(self)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_at_once(self, watcher: Watcher) -> cython.int:
        """Have the kernel watch an Io now, not in the next pass; returns 0 or an errno."""
        io: Io = cython.cast(Io, watcher)
        self.after_fork()
        if self.inherited or self.kernel.lost:
            self.rebuild()
        if io.flags & STRAY:
            return EBADF
        if not self.kernel.silent:
            if fcntl(io.fd, F_GETFD) < 0:
                return EBADF
            if self.waiting:
                return 0  # the kernel uses what would change
        return self.descriptors.tell(io.fd, self.kernel)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def raise_refused(self) -> cython.int:
        """Deal with one watcher of a descriptor that the kernel can't watch."""
        fd: cython.int = self.kernel.refused_fd
        error: cython.int = self.kernel.refused_errno
        self.kernel.refused_fd = -1
        # What the kernel said may be of the pass before: the number may be open by now.
        if fd >= 0 and (error != EBADF or fcntl(fd, F_GETFD) < 0):
            head: cython.pointer[PyObject] = self.descriptors.slots[fd].head
            if head != cython.NULL:
                # Owned here: the roster's may be the only reference until it is stopped.
                watcher: Watcher = cython.cast(Watcher, head)
                return self.refuse(watcher, error)
        self.descriptors.take_in_strays()
        if self.descriptors.strays:
            return self.refuse(self.descriptors.strays[0], EBADF)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refuse(self, watcher: Watcher, error: cython.int) -> cython.int:
        """Stop the Io, and say so; one of the loop's own is tried again."""
        if watcher.flags & INTERNAL:
            return internal_refused(self, watcher, error)
        name: str = describe(watcher)
        Io.stop(watcher)
        raise OSError(error, f"{os.strerror(error)}: {name} had to be stopped")


# "async" was a name like any other when the interface was made. A __getattr__ would
# do too, but costs CPython's fast way of calling methods.
alias_method(Loop, "async", Loop.async_)


@cython.cfunc
@cython.exceptval(-1, check=False)
def give_way() -> cython.int:
    """Let other threads and signal handlers run, which callbacks in C might never do."""
    breathe()
    return PyErr_CheckSignals()


@cython.cfunc
@cython.exceptval(-1, check=False)
def raise_error_event(loop: Loop, watcher: Watcher) -> cython.int:
    """EV_ERROR was fed: stop the watcher and the loop."""
    name: str = describe(watcher)
    if watcher.flags & ACTIVE:
        retire(loop, watcher)
    loop.breaking = EVBREAK_ALL
    warn(f"{name} was fed EV_ERROR and has been stopped")
    raise Error(f"{name} was fed EV_ERROR")


@cython.cfunc
@cython.exceptval(-1, check=False)
def retire(loop: Loop, watcher: Watcher) -> cython.int:
    """Stop a watcher as its kind does, whatever a subclass makes of stop()."""
    if not watcher.flags & ACTIVE:
        loop.take_back(watcher)
        return 0
    for kind in type(watcher).__mro__:
        if not kind.__flags__ & HEAP_TYPE:
            kind.stop(watcher)
            break
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def is_active(watcher: Watcher) -> cython.bint:
    return watcher.flags & (ACTIVE | OWN) == ACTIVE


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_loop_callback(callback: object) -> cython.int:
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def interval(name: str, seconds: cython.double) -> nanoseconds:
    if not seconds >= 0.0:
        raise ValueError(f"{name} must be 0 or a positive number of seconds, not {seconds!r}")
    return from_seconds(seconds)


@cython.cfunc
@cython.exceptval(-1, check=False)
def flags_to_use(flags: cython.int) -> cython.int:
    """The flags given, or those that LIBEV_FLAGS replaces them with."""
    if flags & ~cython.cast(cython.int, KNOWN_FLAGS):
        raise ValueError(f"flags must be made of EVFLAG_* and EVBACKEND_* bits, not {flags!r}")
    text = os.environ.get("LIBEV_FLAGS")
    if text is None or flags & EVFLAG_NOENV or getuid() != geteuid() or getgid() != getegid():
        return flags
    try:
        replaced: cython.int = int(text)
    except (ValueError, OverflowError):
        replaced = -1
    if replaced < 0 or replaced & ~cython.cast(cython.int, KNOWN_FLAGS):
        warn(
            f"LIBEV_FLAGS={text!r} in the environment is not a number of EVFLAG_* and "
            "EVBACKEND_* bits, and is ignored"
        )
        return flags
    return replaced


the_default_loop: Loop | None = None


def default_loop(*args, **kwargs) -> Loop:
    """The one default loop of the process, made on the first call.

    Takes the arguments of `Loop`. Later calls return the same loop, until it is
    closed; they warn (RuntimeWarning) if arguments are given, which come too late.
    """
    global the_default_loop
    loop: Loop = the_default_loop
    if loop is not None and loop.state == OPEN:
        if args or kwargs:
            warn("the default loop exists already: the arguments are ignored")
        return loop
    loop = Loop(*args, **kwargs)
    loop.is_default = True
    the_default_loop = loop
    return loop


def abi_version() -> tuple:
    """The version of libev whose interface everloop follows: (4, 33)."""
    return (4, 33)
