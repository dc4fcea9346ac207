"""Fork: this process is a forked child."""

import cython
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import Watcher, make_able


@cython.cclass
class Fork(Watcher):
    """Fork(loop, callback=None, data=None, priority=0)\n--\n
    Calls back in a forked child process, before anything else in the next pass.

    The loop has its kernel's side made anew by then. Also called after Loop.reset.
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
        loop.forks.add(self)
        loop.activate(self)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Call back no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            self.loop.forks.remove(self)
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)
