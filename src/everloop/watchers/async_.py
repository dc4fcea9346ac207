"""Async: another thread, or a signal handler, calls."""

import cython
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.sys.threads import Section, exchange, fence, load
from cython.cimports.everloop.watcher import Watcher, make_able


@cython.cclass
class Async(Watcher):
    """Async(loop, callback=None, data=None, priority=0)\n--\n
    Calls back after `send` was called, from whatever thread.

    Several sends before the loop gets to it make one call.
    """

    @cython.always_allow_keywords(False)
    def start(self):
        """Wait for sends from now on, forgetting earlier ones; nothing if active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        loop.open_waker()
        loop.asyncs.add(self)
        loop.activate(self)
        # Last: a send that finds the watcher inactive must not keep later ones away.
        fence()
        exchange(cython.address(self.extra), 0)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Call back no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            self.loop.asyncs.remove(self)
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)

    @cython.always_allow_keywords(False)
    def send(self):
        """Have the loop call back, waking it if it waits.

        From any thread, and from a Python signal handler. Does not block. A send
        to a watcher that is not active has no effect but on `sent`.
        """
        if exchange(cython.address(self.extra), 1):
            return
        if load(cython.address(self.flags)) & ACTIVE:
            self.loop.request_wakeup()

    @property
    def sent(self) -> bool:
        """Whether there was a send that the loop has not noted yet. Read only."""
        return load(cython.address(self.extra)) != 0
