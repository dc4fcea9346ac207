"""Driving: a selector that a tool has put in the kernel's place does the waiting.

Invariants: the loop's own descriptors, of which the selector knows nothing, are looked
at in each pass all the same; what the selector finds goes through the pending queue.
"""

import cython
from cython.cimports.everloop.aio.calls.handle import TimerHandle
from cython.cimports.everloop.aio.descriptors.kernel_order import pending_descriptors
from cython.cimports.everloop.aio.descriptors.watching import Watching
from cython.cimports.everloop.clock import FOREVER, from_seconds, nanoseconds
from cython.cimports.everloop.constants import EV_READ
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.engine.waiting import UNKNOWN
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.queues.descriptors_inline import feed
from cython.cimports.everloop.sys.threads import Section

from everloop.aio.descriptors.selecting import LONGEST_SELECT, Handles


@cython.cclass
class Driving(Watching):
    """Looks at the descriptors through a selector, if there is one."""

    def _drive(self, selector):
        """Have a selector wait in place of the kernel; None: the kernel again."""
        section: Section
        enter_loop(cython.address(section), self)
        self.driver = selector

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look_out(self, timeout: nanoseconds) -> cython.int:
        return Loop.wait(self, timeout) if self.driver is None else self.wait_driven(timeout)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait_driven(self, timeout: nanoseconds) -> cython.int:
        """Have the driver wait, and queue what it says is ready."""
        self.looked = False
        found: object = self.driver.select(self.seconds_to_wait(timeout))
        if not self.looked:
            # It knows nothing of the loop's own descriptors.
            Loop.wait(self, 0)
        fd: cython.int
        for key, events in found:
            if type(key.data) is not Handles:
                self._call_foreign(key, events)
                continue
            fd = key.fd
            if 0 <= fd < self.descriptors.capacity:
                feed(cython.address(self.descriptors.slots[fd]), events, self.queue)
        return 0

    @cython.cfunc
    def seconds_to_wait(self, timeout: nanoseconds) -> object:
        """As asyncio's loop says it: to the first timer exactly; None: for ever."""
        if timeout <= 0:
            return 0
        if timeout >= FOREVER:
            return None
        seconds: cython.double = cython.cast(cython.double, timeout) / 1e9
        if self.timers.count and timeout == self.timers.nodes[0].at - self.mono:
            first: object = cython.cast(object, self.timers.nodes[0].watcher)
            if type(first) is TimerHandle:
                seconds = cython.cast(TimerHandle, first).moment - self.seconds()
        return min(max(seconds, 0.0), LONGEST_SELECT)

    def _poll(self, timeout):
        """Wait as the loop does, seconds or None; the descriptors that are ready, and events."""
        section: Section
        enter_loop(cython.address(section), self)
        self.check_open()
        self.looked = True
        self.waking = False
        self.hand_over_changes()
        self.passes += 1
        self.block(FOREVER if timeout is None else from_seconds(max(timeout, 0.0)), UNKNOWN)
        self.take_notice()
        self.take_mail()
        found = pending_descriptors(self.queue)
        if self.kernel.woken or self.ready.count:
            found.append((self.waker.fd, EV_READ))
        return found
