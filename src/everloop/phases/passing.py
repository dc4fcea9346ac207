"""PassingLoop: the pass of a loop, phase after phase, and what each asks of the kinds.

Of the kinds of watchers, a pass knows the function that a phase calls.
"""

import cython
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.constants import (
    EV_ASYNC,
    EV_CHECK,
    EV_FORK,
    EV_IDLE,
    EV_PREPARE,
    EVBREAK_ALL,
    EVBREAK_CANCEL,
    EVRUN_NOWAIT,
)
from cython.cimports.everloop.engine.calling import retire
from cython.cimports.everloop.engine.holding import CLOSED, OPEN
from cython.cimports.everloop.engine.timed import coarse_clock
from cython.cimports.everloop.phases.refusing import RefusingLoop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.process.signals import release_all
from cython.cimports.everloop.queues.array import WatcherArray
from cython.cimports.everloop.queues.entry import INTERNAL
from cython.cimports.everloop.queues.pending import LANES
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.python import PyErr_CheckSignals, PyThread_get_thread_ident
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.child import forget_children
from cython.cimports.everloop.watchers.embed import (
    follow_rebuild,
    set_alarms,
    stop_embedders,
    sweep_embedded,
)
from cython.cimports.everloop.watchers.internal.jumps import watch_for_jumps, watch_no_longer
from cython.cimports.everloop.watchers.scheduler import report_failed
from cython.cimports.everloop.watchers.signal import (
    leave_signalfd,
    queue_signals,
    reopen_signalfd,
)
from cython.cimports.everloop.watchers.stat import rebuild_stats
from cython.cimports.everloop.watchers.timer import queue_expired
from cython.cimports.everloop.watchers.tree import renew_trees
from cython.cimports.everloop.watchers.wall_clock import queue_due, reschedule_all


@cython.cclass
class PassingLoop(RefusingLoop):
    def __dealloc__(self):
        release_all(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run(self, flags: cython.int) -> cython.int:
        """Pass after pass of the loop: the order of its phases."""
        self.breaking = EVBREAK_CANCEL
        report_failed(self)
        self.run_pending()
        while self.state == OPEN:
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
            if flags or self.references <= 0 or self.breaking != EVBREAK_CANCEL:
                break
        if self.runs == 1 and not flags & EVRUN_NOWAIT:
            self.was_busy()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def enter(self) -> cython.int:
        """Note that start() runs, in this thread."""
        self.check_thread("start()")
        self.nest()
        if self.hosts:
            self.waiting = False
        self.thread = PyThread_get_thread_ident()
        self.runs += 1
        if self.runs == 1:
            self.lately = coarse_clock()
        if self.runs == 1 and self.kernel.silent and not (self.reset_requested or self.kernel.lost):
            now: nanoseconds = self._clock.monotonic()
            self.audit_owed = True
            if now - self.audited_at >= 100 * self.audit_cost:
                self.audit()
        return 0

    # The phases

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
        self.tell_kernel()
        while self.kernel.refused_fd >= 0 or self.descriptors.strays:
            self.raise_refused()
            self.descriptors.hand_over(self.kernel)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_kernel(self) -> cython.int:
        """The same; what is refused is left to be raised."""
        if self.dates.count and not self.jumps_tried:
            watch_for_jumps(self)
        if self.descriptors.strays:
            self.descriptors.take_in_strays()
        if self.descriptors.change_count:
            self.descriptors.hand_over(self.kernel)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def until_due(self) -> nanoseconds:
        self.after_fork()
        if self.inherited or self.reset_requested or self.kernel.lost:
            return 0
        self.tell_kernel()
        if (
            self.queue.cursor >= 0
            or self.idle_count
            or self.wakeup_requested
            or self.signals_pending
            or self.failed
            or self.descriptors.strays
            or self.kernel.refused_fd >= 0
            or self.kernel.restless()
        ):
            return 0
        set_alarms(self)
        timeout: nanoseconds = FOREVER
        now: nanoseconds = self._clock.monotonic()
        if self.timers.count:
            timeout = self.timers.nodes[0].at - now
        if self.dates.count:
            timeout = min(timeout, self.dates.nodes[0].at - self._clock.wall())
            if self.jumps is None:
                timeout = min(timeout, 60 * cython.cast(nanoseconds, NANO))
        return max(timeout, self._timeout_interval)

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
        if self.passes == self.sampled_at:
            self.turn_sampling()
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
            self.wakeups += 1
            if not self.kernel.wakes_once:
                self.waker.drain()
        if self.wakeup_requested or self.signals_pending:
            push(self.queue, self.wakeup, EV_ASYNC)
        if self.kernel.refused_fd >= 0:
            self.raise_refused()
        return PyErr_CheckSignals()

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

    # What the engine asks of the kinds

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def dates_jumped(self) -> cython.int:
        return reschedule_all(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signals_arrived(self) -> cython.int:
        return queue_signals(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def leave_parent(self) -> cython.int:
        forget_children(self)
        watch_no_longer(self)
        return leave_signalfd(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def rebuild_internal(self) -> cython.int:
        follow_rebuild(self)
        reopen_signalfd(self)
        rebuild_stats(self)
        return renew_trees(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """Do what a watcher without a callback stands for."""
        return sweep_embedded(watcher)

    # The end

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def shut(self) -> cython.int:
        """Stop all watchers and release all descriptors."""
        self.check_thread("close()")
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
        self.hosts = 0
        self.breaking = EVBREAK_ALL
        self.references = 0
        self.kernel.close()
        self.waker.close()
        return 0
