"""Turn: the pass of an asyncio loop, on the phases of Loop.

What asyncio calls has priority 0. A pass makes, in this order, as asyncio's loop does:
watchers' calls of a higher priority; the calls that were ready when the look at the
descriptors ended; what descriptors brought, in the kernel's order, with the watchers of
priority 0; timers; watchers of a lower priority. What those make ready is called in the
next pass, after another look: neither side can starve the other. Where nothing is to be
looked at, round follows round of calls without the rest of a pass.

Invariants: a handle is in the ready queue at most once; ready_before counts from its
head; a TimerHandle in due is in no heap any more. While the loop runs, a ready call is
hidden from the garbage collector unless somebody else refers to it.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.calls.handle import (
    RANK,
    Handle,
    TimerHandle,
    run_handle,
    run_timer,
)
from cython.cimports.everloop.aio.calls.observing import (
    call_observed,
    handle_class,
    runs_by_tool,
)
from cython.cimports.everloop.aio.calls.ready import MANY, ReadyQueue, hide_context
from cython.cimports.everloop.aio.calls.ready_inline import (
    append,
    append_in_lock,
    hide,
    join,
    show,
    show_context,
    take,
)
from cython.cimports.everloop.clock import nanoseconds
from cython.cimports.everloop.constants import EVBREAK_CANCEL, EVRUN_NOWAIT
from cython.cimports.everloop.engine.inline import enter_loop, in_loop, let_in
from cython.cimports.everloop.engine.observing import ASYNCIO
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.sys.python import PyErr_CheckSignals, class_version
from cython.cimports.everloop.sys.threads import (
    FREE_THREADED,
    Section,
    acquire,
    enter_nothing,
    fence,
    owned_alone,
    unlock,
)
from cython.cimports.everloop.watcher import Watcher


@cython.cclass
class Turn(Loop):
    """Makes the calls that are ready and those whose time has come."""

    def __cinit__(self, *args, **kwargs):
        self.ready = ReadyQueue()
        self.mail = ReadyQueue()
        self.taken = ReadyQueue()
        self.due = []
        self.needs_host = True

    def _run_until_stopped(self):
        """Pass after pass until stop(): what run_forever() does when all is set up."""
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        self.enter()
        self.references += 1
        try:
            self.run(EVRUN_NOWAIT if self._stopping else 0)
        finally:
            self.references -= 1
            self.runs -= 1
            self.unnest()
            self.rest()
            self.wake_if_waiting()
            self.breaking = EVBREAK_CANCEL

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run(self, flags: cython.int) -> cython.int:
        outer: cython.bint = self.continuous
        self.continuous = flags == 0
        try:
            return Loop.run(self, flags)
        finally:
            self.continuous = outer

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def blocking_time(self, flags: cython.int) -> nanoseconds:
        self.take_mail()
        return 0 if self.ready.count or self.due else Loop.blocking_time(self, flags)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def until_due(self) -> nanoseconds:
        self.take_mail()
        return 0 if self.ready.count or self.due else Loop.until_due(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        self.waking = False
        self.look_out(timeout)
        self.take_mail()
        self.ready_before = self.ready.count
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def queue_call(self, handle: Handle) -> cython.void:
        """The call is ready; to be called in the loop's section."""
        self.take_mail()
        if self.runs:
            hide(handle)
            if self.ready.count >= MANY:
                hide_context(handle)
        elif self.waiting:
            self.waker.wake()
        append(self.ready, handle)

    @cython.cfunc
    @cython.exceptval(check=False)
    def post(self, handle: Handle) -> cython.void:
        """The same for any thread, which does not wait for a loop that runs."""
        section: Section
        if self.runs and not in_loop(self):
            enter_nothing(cython.address(section))
        else:
            enter_loop(cython.address(section), self)
            self.queue_call(handle)
            return
        acquire(cython.address(self.mail_lock))
        mail: cython.pointer[PyObject] = cython.cast(cython.pointer[PyObject], self.mail)
        last: Handle = append_in_lock(cython.cast(ReadyQueue, mail), handle)
        self.mailed = True
        unlock(cython.address(self.mail_lock))
        del last
        fence()

    @cython.cfunc
    @cython.exceptval(check=False)
    def take_mail(self) -> cython.void:
        """Have the calls of other threads follow those that are ready."""
        if FREE_THREADED and self.mailed:
            acquire(cython.address(self.mail_lock))
            self.mailed = False
            self.mail, self.taken = self.taken, self.mail
            unlock(cython.address(self.mail_lock))
            join(self.ready, self.taken)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look_out(self, timeout: nanoseconds) -> cython.int:
        """Look at the descriptors, for up to timeout, and queue what they bring."""
        return Loop.wait(self, timeout)

    @cython.cfunc
    @cython.exceptval(check=False)
    def hurries(self) -> cython.bint:
        return self.ready.count > 0 or (FREE_THREADED and self.mailed) or Loop.hurries(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def queue_idles(self) -> cython.int:
        return 0 if self.ready.count else Loop.queue_idles(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def invoke_pending(self) -> cython.int:
        self.look_for_tools()
        if self.ready_before:
            self.invoke_lanes(RANK + 1)
            self.run_round()
        while self.queue.cursor >= RANK or self.due:
            self.invoke_lanes(RANK)
            self.run_due()
        if self.queue.cursor >= 0:
            self.invoke_lanes(0)
        self.take_mail()
        while self.ready.count and self.only_calls():
            self.held += 1
            PyErr_CheckSignals()
            self.look_for_tools()
            self.ready_before = self.ready.count
            self.run_round()
            self.take_mail()
        self.count_ready()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def only_calls(self) -> cython.bint:
        """Whether another pass would do nothing but make the calls that are ready."""
        return (
            self.continuous
            and self.driver is None
            and self.descriptors.linked == 0
            and self.timers.count == 0
            and self.dates.count == 0
            and self.queue.cursor < 0
            and self.prepares.count == 0
            and self.checks.count == 0
            and not self.wakeup_requested
            and self.signals_pending == 0
            and self.breaking == EVBREAK_CANCEL
            and not self.reset_requested
            and self.generation == forking.generation
            and self.held < 64
        )

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_round(self) -> cython.int:
        """Make the calls that were ready when the look at the descriptors ended."""
        handle: Handle
        count: cython.Py_ssize_t = self.ready_before
        if count > self.ready_most:
            self.ready_most = count
        self.ready_before = 0
        self.audit_owed = True
        while count:
            count -= 1
            let_in(self)
            if not self.ready.count:
                break
            handle = take(self.ready)
            show_context(handle)
            if not owned_alone(cython.cast(cython.pointer[PyObject], handle)):
                show(handle)
            run_handle(handle)
            if not owned_alone(cython.cast(cython.pointer[PyObject], handle)):
                show(handle)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_due(self) -> cython.int:
        """Make the calls whose time has come."""
        due: list = self.due
        made: cython.Py_ssize_t = 0
        if not due:
            return 0
        self.due = []
        try:
            while made < len(due):
                made += 1
                run_timer(due[made - 1])
        finally:
            if made < len(due):
                self.due = due[made:] + self.due
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def count_ready(self) -> cython.void:
        """Calls that are ready keep start() running, as an active watcher does."""
        if self.counted != (self.ready.count > 0):
            self.counted = not self.counted
            self.references += 1 if self.counted else -1

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1, check=False)
    def look_for_tools(self) -> cython.int:
        """Notice if a tool has replaced asyncio.Handle._run(), or put it back."""
        if class_version(handle_class) != self.handle_version or self.handle_version == 0:
            self.by_tool = runs_by_tool()
            self.handle_version = class_version(handle_class)
            self.observe_asyncio()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def observe_asyncio(self) -> cython.void:
        """Have calls made as debug mode and tools ask for, if they do."""
        if self.debug_mode or self.by_tool:
            self.observed |= ASYNCIO
        else:
            self.observed &= ~ASYNCIO

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def observed_call(self, watcher: Watcher, revents: cython.int) -> cython.int:
        if self.observed & ASYNCIO:
            return call_observed(self, watcher, revents)
        return Loop.observed_call(self, watcher, revents)

    @cython.cfunc
    @cython.exceptval(check=False)
    def is_for_handle(self, watcher: Watcher) -> cython.bint:
        """Whether a handle's call is all that comes of the watcher's event."""
        return type(watcher) is TimerHandle

    def _has_host(self) -> bool:
        """Whether another loop runs the passes of this one."""
        return self.hosts > 0

    @property
    def _debug(self) -> bool:
        return self.debug_mode

    @_debug.setter
    def _debug(self, debug: cython.bint):
        self.debug_mode = debug
        self.observe_asyncio()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, watcher: Watcher, revents: cython.int) -> cython.int:
        if type(watcher) is TimerHandle:
            self.due.append(watcher)
            return 0
        return Loop.serve(self, watcher, revents)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_counts(self, counts: dict) -> cython.int:
        Loop.tell_counts(self, counts)
        counts["ready"] = self.ready.count + self.mail.count
        counts["ready_most"] = self.ready_most
        return 0

    def _show_ready(self):
        """The loop has ended: let the garbage collector see the calls that are left."""
        section: Section
        enter_loop(cython.address(section), self)
        self.ready.rest()

    def _take_ready(self):
        """The handle of the next call that is ready, which is not made. Raises IndexError."""
        section: Section
        enter_loop(cython.address(section), self)
        if not self.ready.count:
            raise IndexError("no call is ready")
        handle: Handle = take(self.ready)
        show(handle)
        return handle
