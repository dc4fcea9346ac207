"""Backend: what a kernel mechanism has to do for the loop.

A backend watches the descriptors of the table, as it is told through `modify`,
and reports what happens to the table from `poll`. It knows no watchers. A new
mechanism is a subclass in a file of its own, and two lines in `registry`.
"""

import cython
from cython.cimports.everloop.clock import FOREVER, nanoseconds
from cython.cimports.libc.errno import EINTR, errno


@cython.cclass
class Backend:
    def __cinit__(self):
        self.fd = -1
        self.wake_fd = -1
        self.refused_fd = -1
        self.alarm_at = FOREVER

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open(self) -> cython.int:
        """Make the kernel's side, if it keeps one between polls; raises OSError."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_waker(self, fd: cython.int) -> cython.int:
        """Watch the loop's eventfd, which is not in the table (`woken`); raises OSError."""
        raise NotImplementedError

    @cython.cfunc
    @cython.exceptval(check=False)
    def open_alarm(self) -> cython.void:
        """Get what set_alarm() needs; without it, it returns False."""

    @cython.cfunc
    @cython.exceptval(check=False)
    def set_alarm(self, moment: nanoseconds, span: nanoseconds) -> cython.bint:
        """Have a poll without a limit end at moment, once, which is a span from now.

        Returns whether it will: not every mechanism can. The poll returns no event
        for it; alarm_at is FOREVER after it.
        """
        return False

    @cython.cfunc
    @cython.exceptval(check=False)
    def check_alarm(self) -> cython.void:
        """Forget an alarm whose descriptor somebody has closed: it will not ring."""

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        """Give up the kernel's side; open() may follow."""
        self.wake_fd = -1
        self.refused_fd = -1
        self.alarm_at = FOREVER

    @cython.cfunc
    @cython.exceptval(check=False)
    def modify(self, fd: cython.int, old: cython.int, new: cython.int) -> cython.int:
        """Watch fd for the events new, where it was watched for old; 0 or an errno.

        May be called with new equal to old: fd may be another file by now.
        """
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def waits_for(self, fd: cython.int) -> cython.bint:
        """Whether the kernel tells when fd is ready; else it is reported in each poll."""
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def restless(self) -> cython.bint:
        """Whether some are always ready that the kernel can't watch."""
        return False

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def poll(self, timeout: nanoseconds, hold_gil: cython.bint) -> cython.int:
        """Wait up to timeout (FOREVER: without end) and report what happened.

        Returns the number of events, 0 if a signal interrupted. With hold_gil,
        timeout must be 0.
        """
        ready: cython.int
        if hold_gil:
            ready = self.wait(0)
        else:
            with cython.nogil:
                ready = self.wait(timeout)
        self.woken = False
        if ready < 0:
            return self.failed(errno)
        if ready:
            self.report_ready(ready)
        return ready

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        """The system call of poll(), which returns what that does, and sets errno."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_ready(self, ready: cython.int) -> cython.int:
        """Report the events that wait() has brought."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def failed(self, error: cython.int) -> cython.int:
        """wait() has failed; raises OSError, but for a signal that interrupted it."""
        if error != EINTR:
            raise OSError(error, "the loop's backend is unusable")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def peek(self) -> cython.int:
        """As poll(0, True), but a wake-up may go untold until the next poll."""
        return self.poll(0, True)

    @cython.cfunc
    @cython.exceptval(check=False)
    def audit(self) -> cython.int:
        """Look for descriptors that were closed or reopened while being watched.

        For mechanisms that do not tell (``silent``). Returns how many it looked at.
        """
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check(self, fd: cython.int, error: cython.int) -> cython.int:
        """fd was refused: raises OSError if that is because the kernel's side is gone."""
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def refuse(self, fd: cython.int, error: cython.int) -> cython.void:
        """Note that the kernel can't watch fd; the loop asks for one after the poll."""
        if self.refused_fd < 0:
            self.refused_fd = fd
            self.refused_errno = error
