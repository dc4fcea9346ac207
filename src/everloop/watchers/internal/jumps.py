"""Tells a waiting loop that the wall clock was set.

A loop with times on the wall clock would otherwise find out only when its wait
ends. A timerfd(2) with TFD_TIMER_CANCEL_ON_SET becomes readable when somebody sets
the clock; an internal Io watches it, from the first such wait on.
"""

import cython
from cython.cimports.everloop.constants import EV_READ, EVFLAG_NOTIMERFD
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.sys.timerfd import (
    TFD_CLOEXEC,
    TFD_NONBLOCK,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
    timerfd_create,
    timerfd_settime,
)
from cython.cimports.everloop.watchers.internal.owned import OwnedDescriptor, own
from cython.cimports.everloop.watchers.io import Io, new_internal_io
from cython.cimports.libc.string import memset
from cython.cimports.posix.time import CLOCK_REALTIME, itimerspec
from cython.cimports.posix.unistd import close


@cython.cfunc
@cython.exceptval(-1, check=False)
def watch_for_jumps(loop: CallingLoop) -> cython.int:
    """Open and watch the timerfd; without one, waits are kept short (blocking_time)."""
    loop.jumps_tried = True
    if loop.flags & EVFLAG_NOTIMERFD or loop._clock.manual:
        return 0
    fd: cython.int = loop.descriptors.apart(
        timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)
    )
    if fd < 0:
        return 0
    if arm(fd):
        close(fd)
        return 0
    io: Io = new_internal_io(loop, fd, EV_READ, on_jump)
    io.data = own(fd, 0)
    io.start()
    loop.jumps = io
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def arm(fd: cython.int) -> cython.int:
    """Have the timer wait for a time that will not come; 0 or -1."""
    never: itimerspec
    memset(cython.address(never), 0, cython.sizeof(never))
    never.it_value.tv_sec = 1 << 33
    return timerfd_settime(
        fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, cython.address(never), cython.NULL
    )


def on_jump(io: Io, revents):
    """The clock was set: find all times on it anew."""
    arm(io.fd)
    io.loop.update()


@cython.cfunc
@cython.exceptval(-1, check=False)
def watch_no_longer(loop: CallingLoop) -> cython.int:
    io: Io = loop.jumps
    loop.jumps = None
    loop.jumps_tried = False
    if io is not None:
        Io.stop(io)
        cython.cast(OwnedDescriptor, io.data).close()
    return 0
