"""KernelLoop: what the kernel has of a loop, and that a forked child makes it anew.

A child shares the kernel's side with its parent, so it must change nothing there.
Invariants:
- ``generation`` and ``pid`` are those of the process that the loop runs in, as far as it
  has noticed: ``after_fork`` comes before anything that concerns one process only.
- While ``inherited``, the kernel's side is the parent's. It is made anew when something
  is first told to it, in the next pass at the latest.
- ``kernel.lost`` while a rebuild is under way: what fails is tried again.
"""

import cython
from cython.cimports.everloop.constants import EVFLAG_FORKCHECK, EVFLAG_NOTIMERFD
from cython.cimports.everloop.engine.timed import TimedLoop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.sys.process import getpid
from cython.cimports.everloop.sys.python import PyThread_get_thread_ident

from everloop.errors import Error


@cython.cclass
class KernelLoop(TimedLoop):
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
    def check_thread(self, call: str) -> cython.int:
        """Raises Error if the loop is run by another thread than this one."""
        self.after_fork()
        if self.runs and self.thread != PyThread_get_thread_ident():
            raise Error(f"{call} can't be called while another thread runs the loop")
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
        return self.leave_parent()

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
        self.rebuild_internal()
        self.kernel.lost = False
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open_waker(self) -> cython.int:
        """Have an eventfd watched: before the first wait that others may have to end.

        And the alarm, though it is needed later: what a loop has open is open from the start.
        """
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
            if not self.flags & EVFLAG_NOTIMERFD:
                self.kernel.open_alarm()
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
    def leave_parent(self) -> cython.int:
        """Give up the parent's descriptors that internal watchers have."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def rebuild_internal(self) -> cython.int:
        """Make anew what internal watchers have in the kernel."""
        return 0
