"""Loop: waits for the events of its watchers and calls them back. The public face.

What it does is in its base classes, each with a module of its own: ``phases`` and below
that ``engine``.
"""

import cython
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.backends.registry import new_backend
from cython.cimports.everloop.clock import FOREVER, Clock, nanoseconds
from cython.cimports.everloop.constants import (
    EVBACKEND_EPOLL,
    EVBACKEND_MASK,
    EVBREAK_ALL,
    EVBREAK_CANCEL,
    EVBREAK_ONE,
    EVFLAG_AUTO,
    EVFLAG_SIGNALFD,
    EVRUN_NOWAIT,
    EVRUN_ONCE,
)
from cython.cimports.everloop.engine.flags import flags_to_use
from cython.cimports.everloop.engine.holding import CLOSED, OPEN, UNMADE
from cython.cimports.everloop.engine.inline import enter_loop, freshen, own_thread
from cython.cimports.everloop.engine.timed import interval
from cython.cimports.everloop.factories import FactoryLoop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.process.signals import check_signum
from cython.cimports.everloop.queues.descriptors_inline import feed as feed_descriptor
from cython.cimports.everloop.sys.process import getpid
from cython.cimports.everloop.sys.python import alias_method, own_methods
from cython.cimports.everloop.sys.threads import Section, fence
from cython.cimports.everloop.watcher import check_loop_callback, delete_attribute
from cython.cimports.everloop.watchers.internal.jumps import watch_no_longer
from cython.cimports.everloop.watchers.signal import feed_signal_watchers

from everloop.backends.registry import recommended_backends
from everloop.errors import Error


@cython.cclass
class Loop(FactoryLoop):
    """Loop(flags=0, callback=None, data=None, io_interval=0.0, timeout_interval=0.0, \
    *, debug=False)\n--\n
    An event loop: waits for the events of its watchers and calls them back.

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
    by `start`; what is for the loop's own thread raises Error in another.

    A loop is run by one thread at a time. Other threads may start and stop its
    watchers, call `stop`, and `Async.send`: a waiting loop notices at once.

    Raises ValueError for unknown flags, Error if no backend of those asked for
    is available, OSError if the kernel has no descriptors left for it.
    """

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
        section: Section
        enter_loop(cython.address(section), self)
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
        self.debugging = debug
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
        section: Section
        enter_loop(cython.address(section), self)
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
            self.rest()
            if not wanted & EVRUN_NOWAIT:
                self.wake_if_waiting()  # hosts did not ask for this one
            if self.breaking == EVBREAK_ONE:
                self.breaking = EVBREAK_CANCEL
        return self.references > 0

    def stop(self, how=1) -> None:
        """Make `start` return, after the callbacks already pending have run. Thread-safe.

        how: EVBREAK_ONE, the innermost start; EVBREAK_ALL, all of them;
        EVBREAK_CANCEL takes back a stop that has not taken effect yet.
        """
        wanted: cython.int = whole("how", how)
        if wanted < EVBREAK_CANCEL or wanted > EVBREAK_ALL:
            raise ValueError(f"how must be EVBREAK_ONE, EVBREAK_ALL or EVBREAK_CANCEL, not {how!r}")
        self.breaking = wanted
        fence()
        if self.waiting:
            self.waker.wake_without_gil()

    def loop(self, flags=0) -> bool:
        """The same as `start`: its name in pyev 0.7."""
        return self.start(flags)

    def unloop(self, how=1) -> None:
        """The same as `stop`: its name in pyev 0.7."""
        self.stop(how)

    def invoke(self) -> None:
        """Run all pending callbacks now.

        Exceptions in them are reported, or raised from here where `start` would
        raise them.
        """
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "invoke()")
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
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "reset()")
        self.check_open()
        if self.pid != getpid():
            self.become_child()
        self.reset_requested = True

    def close(self) -> None:
        """Stop all watchers and release all descriptors; the loop can't be used again.

        In a callback, it makes `start` return once that callback has. Does nothing
        if the loop is closed. Raises Error while another thread runs the loop.
        """
        section: Section
        enter_loop(cython.address(section), self)
        if self.state != OPEN:
            self.state = CLOSED
            return
        self.shut()

    # As a guest of another main loop

    def fileno(self) -> int:
        """A descriptor that is readable when the loop has something to do.

        For another main loop that waits for it, and then runs a pass: `start` with
        EVRUN_NOWAIT. It has to run one, too, when `timeout` is over, which it asks for
        after each pass; the descriptor is another after `reset` or a fork.

        From the first call on, whatever is started or fed outside of a pass, in any thread,
        makes the descriptor readable.

        Raises Error if the backend has none: only epoll does.
        """
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        if self.kernel.flag != EVBACKEND_EPOLL:
            raise Error(
                "only a loop on the epoll backend has a descriptor: make it with EVBACKEND_EPOLL"
            )
        self.open_waker()
        if not self.hosted:
            self.hosted = True
            self.take_host()
        return self.kernel.fd

    def timeout(self) -> object:
        """Seconds until the loop's next timer; 0.0 if there is something to do at once.

        None if there is no timer to wait for. Tells the kernel of what has been started.
        """
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        left: nanoseconds = self.until_due()
        return None if left >= FOREVER else cython.cast(cython.double, max(left, 0)) / 1e9

    def __enter__(self):
        self.check_open()
        return self

    def __exit__(self, *exc_info):
        self.close()

    @property
    def debug(self) -> bool:
        """Whether every exception stops the loop, and calls by other threads raise Error."""
        return self.debugging

    @debug.setter
    def debug(self, debug: cython.bint):
        self.debugging = debug

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
        section: Section
        enter_loop(cython.address(section), self)
        freshen(self)
        return cython.cast(cython.double, self.mono + self.wall_ahead) / 1e9

    def update(self) -> None:
        """Refresh the loop's time, as after a long computation in a callback."""
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "update()")
        self.read_clocks()

    def suspend(self) -> None:
        """Stop the time of timers, until `resume`."""
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "suspend()")
        self.read_clocks()
        if self.suspended == 0:
            self.suspended = self.mono

    def resume(self) -> None:
        """Go on after `suspend`: for timers no time has passed in between."""
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "resume()")
        self.read_clocks()
        if self.suspended:
            self.timers.delay(self.mono - self.suspended)
        self.suspended = 0

    @property
    def clock(self) -> Clock:
        """Where the time comes from: a Clock. Tests may set a ManualClock."""
        section: Section
        enter_loop(cython.address(section), self)
        return self._clock

    @clock.setter
    def clock(self, clock: Clock):
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "the setter of clock")
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
        section: Section
        enter_loop(cython.address(section), self)
        self.references += 1

    def unref(self) -> None:
        """Count one reference less: `start` does not wait for one of the active watchers.

        Before that watcher is stopped, call `ref`.
        """
        section: Section
        enter_loop(cython.address(section), self)
        self.references -= 1
        self.wake_if_waiting()

    def incref(self) -> None:
        """The same as `ref`."""
        self.ref()

    def decref(self) -> None:
        """The same as `unref`."""
        self.unref()

    # Events from elsewhere

    def feed_fd_event(self, fd, revents) -> None:
        """Queue the Io watchers of fd as if the kernel had reported revents."""
        section: Section
        enter_loop(cython.address(section), self)
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
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        feed_signal_watchers(self, check_signum(signum))
        self.wake_if_waiting()

    # Watchers

    @property
    def watchers(self) -> tuple:
        """The active watchers, in the order in which they were started. Read only."""
        section: Section
        enter_loop(cython.address(section), self)
        return tuple(self.roster.shown())

    # Attributes

    @property
    def callback(self):
        """None, or called with the loop instead of running what is pending."""
        section: Section
        enter_loop(cython.address(section), self)
        return self._callback

    @callback.setter
    def callback(self, callback):
        section: Section
        enter_loop(cython.address(section), self)
        own_thread(self, "the setter of callback")
        check_loop_callback(callback)
        self._callback, callback = callback, self._callback

    @property
    def data(self):
        """Anything; everloop does nothing with it."""
        section: Section
        enter_loop(cython.address(section), self)
        return self._data

    @data.setter
    def data(self, data):
        section: Section
        enter_loop(cython.address(section), self)
        self._data, data = data, self._data

    @property
    def io_interval(self) -> float:
        """Seconds that pass between looks at descriptors."""
        return cython.cast(cython.double, self._io_interval) / 1e9

    @io_interval.setter
    def io_interval(self, seconds: cython.double):
        own_thread(self, "the setter of io_interval")
        self._io_interval = interval("io_interval", seconds)

    @property
    def timeout_interval(self) -> float:
        """Seconds by which timers may be late."""
        return cython.cast(cython.double, self._timeout_interval) / 1e9

    @timeout_interval.setter
    def timeout_interval(self, seconds: cython.double):
        own_thread(self, "the setter of timeout_interval")
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
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        self.verify_structures()

    def statistics(self):
        """What the loop has done so far, as a `everloop.statistics.Statistics`. Thread-safe.

        Counting is always on. What other threads get is as of a moment ago.
        """
        from everloop.statistics import told

        counts = {}
        self.tell_counts(counts)
        return told(counts)

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


own_methods(Loop, FactoryLoop)
# "async" was a name like any other when the interface was made. A __getattr__ would
# do too, but costs CPython's fast way of calling methods.
alias_method(Loop, "async", Loop.async_)
