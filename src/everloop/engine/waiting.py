"""WaitingLoop: waits for the kernel, with the GIL and without.

Invariants:
- The GIL is released around a wait that can block, and nowhere else.
- ``eager`` counts up with each wait that found events, to 2: then the next poll keeps the
  GIL. A poll that found none sets it back, so that the guess is not repeated soon.
- ``held`` counts the polls since the GIL was last given up: at most 64.
- ``audit_owed`` once callbacks have run: only they, or other threads, can have closed a
  descriptor that a silent backend goes on about. An audit takes ``audit_cost``; the time
  between two is a hundred times as long.
- ``cut_short`` counts waits with a time limit that events ended, in a row: from OFTEN on
  an alarm takes the place of the limit.
- The waker is open before a wait that others may have to end.
"""

import cython
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.constants import EVBREAK_CANCEL
from cython.cimports.everloop.engine.inline import let_in
from cython.cimports.everloop.engine.kernel_side import KernelLoop
from cython.cimports.everloop.sys.compiler import __sync_synchronize
from cython.cimports.everloop.sys.poll import POLLIN, pollfd, ppoll
from cython.cimports.everloop.sys.python import PyErr_CheckSignals
from cython.cimports.posix.time import timespec

from everloop.engine.breath import breathe


@cython.cclass
class WaitingLoop(KernelLoop):
    @cython.cfunc
    @cython.exceptval(check=False)
    def take_host(self) -> cython.void:
        """From now on one more waits on behalf of the loop; its waker is open."""
        self.hosts += 1
        self.kernel.shown = True
        self.rest()

    @cython.cfunc
    @cython.exceptval(check=False)
    def leave_host(self) -> cython.void:
        """One of them does so no longer."""
        self.hosts -= 1
        self.kernel.shown = self.hosts > 0
        if self.hosts == 0 and self.runs == 0:
            self.waiting = False
        self.update_alert()

    @cython.cfunc
    @cython.exceptval(check=False)
    def rest(self) -> cython.void:
        """No pass is on: hosts, if there are any, wait until there is something new."""
        if self.hosts and self.runs == 0:
            self.waiting = True
            self.alert = True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look(self) -> cython.int:
        """Ask the kernel without waiting, if it can have anything to say."""
        if self.descriptors.linked or self.alert:
            self.polls += 1
            return self.kernel.peek()
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
            self.give_way()
        self.polls += 1
        ready: cython.int = self.kernel.peek()
        if ready == 0 and not self.kernel.woken:
            self.eager = -16
            return 0
        self.held += 1
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait_audited(self, timeout: nanoseconds) -> cython.int:
        """Wait; meanwhile have descriptors looked at that callbacks may have closed.

        A backend that is silent about a closed descriptor would let its watcher wait for
        ever; for an alarm's, the loop. The look is put off so that it takes no more than a
        hundredth of the time, and made once after callbacks have run.
        """
        watches: cython.bint = self.descriptors.linked != 0 or self.kernel.alarm_at < FOREVER
        if not (self.kernel.silent and self.audit_owed and watches):
            return self.block(timeout, UNKNOWN)
        self.mono = self._clock.monotonic()
        due: nanoseconds = self.audited_at + max(100 * self.audit_cost, 100000000) - self.mono
        if due > 0:
            if due >= timeout:
                return self.block(timeout, self.mono)
            if self.block(due, self.mono) or self.kernel.woken:
                return 0
            elapsed: nanoseconds = self._clock.monotonic() - self.mono
            if elapsed < due:
                return 0
            timeout = timeout - elapsed if timeout < FOREVER else timeout
        self.audit()
        if self.kernel.refused_fd >= 0 or self.kernel.lost:
            return 0
        return self.block(max(timeout, 0), UNKNOWN)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def block(self, timeout: nanoseconds, now: nanoseconds) -> cython.int:
        """Wait without the GIL; returns the number of events.

        now: the monotonic time, or UNKNOWN if it is not known.
        """
        self.polls += 1
        if self._clock.manual:
            ready: cython.int = self.kernel.poll(0, True)
            if ready or self.kernel.woken:
                return ready
            timeout = self._clock.wait(timeout)
            now = UNKNOWN
        self.held = 0
        if timeout == 0:
            # Not during the poll: without a waker yet, another thread could have one
            # opened, and the kernel would write to arrays that have moved.
            ready = self.kernel.poll(0, True)
            self.give_way()
            return ready
        self.open_waker()
        self.waits += 1
        self.was_busy()
        self.waiting = True
        self.alert = True
        __sync_synchronize()
        try:
            # Signals that came while C code ran: the wait would not end for them. What
            # their handlers do does end it.
            PyErr_CheckSignals()
            if self.hurries():
                timeout = 0
            ready = self.poll_until(timeout, now)
        finally:
            self.was_blocked()
            self.wait_is_over()
        if ready and self.eager < 2:
            self.eager += 1
        return ready

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def poll_until(self, timeout: nanoseconds, now: nanoseconds) -> cython.int:
        """Poll without the GIL; an alarm takes the place of a limit where one is used often."""
        if timeout == 0:
            return self.kernel.poll(0, False)
        deadline: nanoseconds = FOREVER
        if timeout < FOREVER:
            deadline = timeout + (self._clock.monotonic() if now == UNKNOWN else now)
        while True:
            limit: nanoseconds = self.limit_of(timeout, deadline)
            alarm_is_set: cython.bint = self.kernel.alarm_at < FOREVER
            ready: cython.int = self.kernel.poll(limit, False)
            if ready or not alarm_is_set or self.kernel.alarm_at < FOREVER:
                break
            # It may have been set for an earlier wait, that is, too early for this one.
            if timeout < FOREVER:
                timeout = deadline - self._clock.monotonic()
                if timeout <= 0:
                    break
            PyErr_CheckSignals()
        if limit < FOREVER:
            self.cut_short = self.cut_short + 1 if ready else 0
        return ready

    @cython.cfunc
    @cython.exceptval(check=False)
    def limit_of(self, timeout: nanoseconds, deadline: nanoseconds) -> nanoseconds:
        """How long to poll: without end if the alarm rings by the deadline."""
        if timeout >= FOREVER:
            return FOREVER
        if self.kernel.alarm_at < deadline - timeout - NANO:
            # It should have rung a second ago: somebody has closed its descriptor.
            self.kernel.alarm_at = FOREVER
        if self.kernel.alarm_at <= deadline:
            return FOREVER
        if self.cut_short < OFTEN:
            return timeout
        self.cut_short = 0
        return FOREVER if self.kernel.set_alarm(deadline, timeout) else timeout

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def give_way(self) -> cython.int:
        """Let other threads and signal handlers run, which callbacks in C might never do."""
        self.was_busy()
        breathe()
        let_in(self)
        return PyErr_CheckSignals()

    @cython.cfunc
    @cython.exceptval(check=False)
    def hurries(self) -> cython.bint:
        """Whether something has come up since it was decided to wait."""
        return (
            self.signals_pending != 0
            or self.wakeup_requested != 0
            or self.breaking != EVBREAK_CANCEL
        )

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
        # A backend that tells of each wake-up once has left earlier ones in there.
        self.waker.drain()
        file.fd = self.waker.fd
        file.events = POLLIN
        limit.tv_sec = span // 1000000000
        limit.tv_nsec = span % 1000000000
        self.was_busy()
        self.waiting = True
        self.alert = True
        __sync_synchronize()
        if not self.hurries():
            with cython.nogil:
                ppoll(cython.address(file), 1, cython.address(limit), cython.NULL)
        self.was_blocked()
        self.wait_is_over()
        return PyErr_CheckSignals()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def audit(self) -> cython.int:
        """Have the backend look for descriptors that were closed or reopened."""
        begin: nanoseconds = self._clock.monotonic()
        self.kernel.check_alarm()
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
    def tell_counts(self, counts: dict) -> cython.int:
        KernelLoop.tell_counts(self, counts)
        counts["passes"] = self.passes
        counts["polls"] = self.polls
        counts["blocked_waits"] = self.waits
        counts["wakeups"] = self.wakeups
        return 0
