"""CallingLoop: calls back for what is pending. The loop as its watchers know it.

Invariants:
- Callbacks are called from here only, and while every structure is consistent.
- ``wakeup`` is pending when the asyncs and signals are to be looked at; it is never seated.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.clock import FOREVER, nanoseconds
from cython.cimports.everloop.constants import (
    EV_ASYNC,
    EV_MAXPRI,
    EV_MINPRI,
    EVBREAK_ALL,
)
from cython.cimports.everloop.engine.failures import callback_failed, describe, warn
from cython.cimports.everloop.engine.observing import NO_EVENT, ObservedLoop
from cython.cimports.everloop.queues.entry import ACTIVE, FED, OWN
from cython.cimports.everloop.queues.pending import PendingEvent, PendingQueue
from cython.cimports.everloop.queues.pending_inline import pop, push
from cython.cimports.everloop.queues.roster_inline import leave
from cython.cimports.everloop.sys.compiler import __builtin_ctz
from cython.cimports.everloop.sys.python import (
    PY_VECTORCALL_ARGUMENTS_OFFSET,
    Py_DECREF,
    Py_EnterRecursiveCall,
    Py_LeaveRecursiveCall,
    call_vector,
    nest_in_thread,
    unnest_in_thread,
)
from cython.cimports.everloop.sys.threads import (
    exchange,
    fence,
    let_others_in,
    load,
    referenced_once,
    section_wanted,
    store,
)
from cython.cimports.everloop.watcher import Watcher

from everloop.errors import Error

# Py_TPFLAGS_HEAPTYPE: set in classes made by a class statement.
HEAP_TYPE = 1 << 9


@cython.cclass
class CallingLoop(ObservedLoop):
    def __cinit__(self):
        self.wakeup = Watcher.__new__(Watcher)
        self.wakeup.rank = EV_MAXPRI - EV_MINPRI
        self.wakeup.flags = ACTIVE
        self.last_number = 0

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
            if queue.lanes[queue.cursor].count > self.deepest:
                self.deepest = queue.lanes[queue.cursor].count
        while queue.cursor >= lowest:
            budget -= 1
            if budget == 0:
                budget = 1024
                self.give_way()
                continue
            if section_wanted(cython.cast(cython.pointer[PyObject], self.gate)):
                let_others_in()
                # Who was let in may have called back for all that was pending.
                if queue.cursor < lowest:
                    break
            event = pop(queue)
            if event.watcher == cython.NULL:
                continue
            watcher: Watcher = cython.cast(Watcher, event.watcher)
            watcher.slot = 0
            if not watcher.flags & ACTIVE and self.disown(event.watcher):
                continue
            if self.observed:
                self.call_observed(watcher, event.revents)
            else:
                self.call(watcher, event.revents)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def disown(self, watcher: cython.pointer[PyObject]) -> cython.int:
        """Own a watcher no longer that is inactive and was pending.

        Returns 1 if nobody else is interested in it: it was only fed, and the last
        references were the roster's and the caller's. Without the GIL that is not known of
        a watcher that another thread has made: it is called.
        """
        flags: cython.uchar = cython.cast(Watcher, watcher).flags
        store(cython.address(cython.cast(Watcher, watcher).flags), flags & OWN)
        leave(self.roster, cython.cast(Watcher, watcher))
        return flags & FED and referenced_once(watcher)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def call(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """Call the watcher's callback and deal with an exception that leaves it."""
        self.events[__builtin_ctz(cython.cast(cython.uint, revents) | NO_EVENT)] += 1
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
        if self.runs_coroutines and result != cython.cast(cython.pointer[PyObject], None):
            answer: object = cython.cast(object, result)
            Py_DECREF(result)
            return self.run_coroutine(answer)
        Py_DECREF(result)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def call_observed(self, watcher: Watcher, revents: cython.int) -> cython.int:
        """The same, while somebody looks at what is called, or a clock runs."""
        outer: object = self.current
        begun: nanoseconds = self.begin(watcher)
        try:
            return self.observed_call(watcher, revents)
        finally:
            self.end(outer, begun)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def observed_call(self, watcher: Watcher, revents: cython.int) -> cython.int:
        return self.call(watcher, revents)

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
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve_wakeup(self) -> cython.int:
        """Queue the Async watchers that were sent to, and those of signals."""
        # The loop's own, which is no event of a watcher's.
        self.events[__builtin_ctz(EV_ASYNC)] -= 1
        if self.signals_pending:
            self.signals_arrived()
        self.wakeup_requested = False
        fence()
        i: cython.uint = self.asyncs.count
        try:
            while i:
                i -= 1
                watcher: Watcher = cython.cast(Watcher, self.asyncs.watchers[i])
                if load(cython.address(watcher.extra)):
                    push(self.queue, watcher, EV_ASYNC)
                    exchange(cython.address(watcher.extra), 0)
        except BaseException:
            self.wakeup_requested = True
            raise
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_coroutine(self, answer: object) -> cython.int:
        """Run what a callback has returned, if that is a coroutine."""
        return 0

    @cython.cfunc
    def stand_in(self) -> object:
        """The StandIn for a watcher that was made without a callback; None: it can't be."""
        return None

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def told(self, watcher: Watcher, refusal: object) -> cython.bint:
        """Whether somebody waits for the watcher, and was told that it had to be stopped."""
        return False

    # What needs to know a kind of watcher, or a phase

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signals_arrived(self) -> cython.int:
        """Queue the watchers of the signals that were noted."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def notice_fork(self) -> cython.int:
        """In a forked child, or after reset(): make the kernel's side anew."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def hand_over_changes(self) -> cython.int:
        """Tell the kernel which descriptors to watch for what."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def until_due(self) -> nanoseconds:
        """How long a host may wait for the loop's descriptor before it runs a pass."""
        return FOREVER


@cython.cfunc
@cython.exceptval(-1, check=False)
def raise_error_event(loop: HoldingLoop, watcher: Watcher) -> cython.int:
    """EV_ERROR was fed: stop the watcher and the loop."""
    name: str = describe(watcher)
    if watcher.flags & ACTIVE:
        retire(loop, watcher)
    loop.breaking = EVBREAK_ALL
    warn(f"{name} was fed EV_ERROR and has been stopped")
    raise Error(f"{name} was fed EV_ERROR")


@cython.cfunc
@cython.exceptval(-1, check=False)
def retire(loop: HoldingLoop, watcher: Watcher) -> cython.int:
    """Stop a watcher as its kind does, whatever a subclass makes of stop()."""
    if not watcher.flags & ACTIVE:
        loop.take_back(watcher)
        return 0
    for kind in type(watcher).__mro__:
        if not kind.__flags__ & HEAP_TYPE:
            kind.stop(watcher)
            break
    return 0
