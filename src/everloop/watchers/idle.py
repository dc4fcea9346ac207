"""Idle: there is nothing else to do."""

import cython
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.array import WatcherArray
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import Watcher, make_able


@cython.cclass
class Idle(Watcher):
    """Idle(loop, callback=None, data=None, priority=0)\n--\n
    Calls back once a pass while nothing of its priority or above is pending.

    Keeps the loop from waiting. Among Idle watchers only those of the highest
    priority are called.
    """

    @cython.always_allow_keywords(False)
    def start(self):
        """Call back from now on; does nothing if active. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        array: WatcherArray = loop.idles[self.rank]
        array.add(self)
        loop.idle_count += 1
        loop.activate(self)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Call back no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            array: WatcherArray = self.loop.idles[self.rank]
            array.remove(self)
            self.loop.idle_count -= 1
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)
