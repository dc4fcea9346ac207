"""HoldingLoop: who owns the watchers, where they are kept, and how a wait of theirs is ended.

This is the loop as a starting or stopping watcher knows it. Invariants:
- The roster owns every watcher that is active or pending; all other structures borrow.
- ``waiting`` is set from before the last look for noted signals until a wait without
  the GIL is over: whoever has something new looks at it, and wakes the loop.
- ``waiting`` is set between passes, too, if the loop has ``hosts``: something else waits
  for its descriptor, and is to be told what is new in the same way.
- ``alert`` is set while ``waiting`` is, while another loop embeds this one, and while it
  has hosts.
- Whoever reads or changes anything here is in the section of ``gate``, but for what says
  otherwise: ``wakeup_requested`` and ``breaking`` are set by any thread, which then looks
  at ``alert``, or ``waiting``, as a wait looks at them after it has set those.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.engine.gate import Gate
from cython.cimports.everloop.engine.holding_inline import activate, deactivate
from cython.cimports.everloop.engine.waker import Waker
from cython.cimports.everloop.queues.array import WatcherArray
from cython.cimports.everloop.queues.descriptors import DescriptorTable
from cython.cimports.everloop.queues.entry import ACTIVE, FED, OWN, Entry
from cython.cimports.everloop.queues.heap import Heap
from cython.cimports.everloop.queues.pending import LANES, PendingQueue
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.queues.roster import Roster
from cython.cimports.everloop.queues.roster_inline import board, leave
from cython.cimports.everloop.sys.python import Py_DECREF, Py_INCREF
from cython.cimports.everloop.sys.threads import fence, store

from everloop.errors import Error


@cython.cclass
class HoldingLoop:
    """The base of Loop; not to be made itself, as the classes between the two."""

    def __cinit__(self):
        self.gate = Gate()
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
        self.guests = []
        self.unwatched = []
        self.prepares = WatcherArray()
        self.checks = WatcherArray()
        self.forks = WatcherArray()
        self.asyncs = WatcherArray()
        self.idles = tuple([WatcherArray() for _ in range(LANES)])
        self.waker = Waker()
        # The garbage collector, which empties the loop before it frees it, does not see this.
        self.waker_kept = cython.cast(cython.pointer[PyObject], self.waker)
        Py_INCREF(self.waker_kept)

    def __dealloc__(self):
        if self.waker_kept != cython.NULL:
            Py_DECREF(self.waker_kept)

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
    def activate(self, watcher: Entry) -> cython.int:
        return activate(self, watcher)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def deactivate(self, watcher: Entry) -> cython.int:
        return deactivate(self, watcher)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def feed(self, watcher: Entry, revents: cython.int) -> cython.int:
        self.roster.reserve()
        push(self.queue, watcher, revents)
        if watcher.seat == 0:
            store(cython.address(watcher.flags), watcher.flags | FED)
            board(self.roster, watcher, 0)
        self.wake_if_waiting()
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def take_back(self, watcher: Entry) -> cython.int:
        """Take back the watcher's pending event; returns its bits."""
        revents: cython.int = self.queue.take_back(watcher)
        if not watcher.flags & ACTIVE:
            store(cython.address(watcher.flags), watcher.flags & OWN)
            leave(self.roster, watcher)
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
        fence()
        if self.alert:
            self.waker.wake_without_gil()

    @cython.cfunc
    @cython.exceptval(check=False)
    def wait_is_over(self) -> cython.void:
        """Nobody needs to end a wait; but a loop that embeds this one may be waiting."""
        self.waiting = False
        self.update_alert()

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def update_alert(self) -> cython.void:
        self.alert = self.waiting or len(self.embedders) > 0 or self.hosts > 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signal_claimed(self, signum: cython.int) -> cython.int:
        """A Signal watcher has been started: the loop's C handler has the signal now."""
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify_structures(self) -> cython.int:
        """Check all structures; Error that names the broken invariant."""
        self.roster.verify()
        self.queue.verify()
        self.descriptors.verify()
        self.timers.verify()
        self.dates.verify()
        for array in (self.prepares, self.checks, self.forks, self.asyncs, *self.idles):
            cython.cast(WatcherArray, array).verify()
        if self.idle_count != sum([cython.cast(WatcherArray, a).count for a in self.idles]):
            raise Error("loop: the count of Idle watchers is wrong")
        return 0
