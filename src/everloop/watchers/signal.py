"""Signal: the process gets a signal.

A loop keeps its active Signal watchers in ``Loop.signals``, a dict of lists by
number, in the order of starting. Signals come by a C handler (see process/signals.py), or
with EVFLAG_SIGNALFD by a signalfd(2), watched by an internal Io.
"""

import cython
from cython.cimports.everloop.constants import EV_READ, EV_SIGNAL, EVFLAG_NOSIGMASK
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.process.signals import (
    check_signum,
    claim,
    has_arrived,
    note_signal,
    note_taken,
    owned_by,
    release,
)
from cython.cimports.everloop.queues.entry import ACTIVE, remove_from
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.compiler import __sync_synchronize
from cython.cimports.everloop.sys.signal import (
    NSIG,
    SFD_CLOEXEC,
    SFD_NONBLOCK,
    SIG_BLOCK,
    SIG_UNBLOCK,
    pthread_sigmask,
    sigaddset,
    sigemptyset,
    signalfd,
    signalfd_siginfo,
    sigset_t,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.internal.owned import OwnedDescriptor, own
from cython.cimports.everloop.watchers.io import Io, new_internal_io
from cython.cimports.libc.errno import errno
from cython.cimports.posix.unistd import read


@cython.cclass
class Signal(Watcher):
    """Signal(signum, loop, callback=None, data=None, priority=0)\n--\n
    Calls back when the process gets a signal, in whatever thread.

    Any number of watchers may watch a signal, in one loop. While any does, the
    signal does not reach a handler set before, by signal.signal() or in C; it comes
    back when the last watcher stops. Several arrivals before the loop gets to it
    make one call.

    Starting takes the signal out of the thread's signal mask, unless the loop has
    EVFLAG_NOSIGMASK. With EVFLAG_SIGNALFD it is blocked instead, in this thread.

    signum: the number of a signal, such as signal.SIGTERM.

    Raises ValueError for what is no signal, or can't be watched (SIGKILL, SIGSTOP).
    """

    def __init__(
        self,
        signum,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = check_signum(signum)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self.position = number
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Watch from now on; does nothing if active.

        Raises Error if another loop watches the signal.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        signum: cython.int = self.position
        loop.open_waker()
        claim(loop, signum)
        watchers: list = loop.signals.setdefault(signum, [])
        if self.flags & ACTIVE:
            return  # started by a finalizer meanwhile
        try:
            if loop.takes_signals_by_fd:
                open_signalfd(loop, signum)
            watchers.append(self)
            loop.activate(self)
            loop.signal_claimed(signum)
        except BaseException:
            remove_from(watchers, self)
            give_up(loop, signum)
            raise

    @cython.always_allow_keywords(False)
    def stop(self):
        """Watch no longer and take back a pending event."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            self.loop.after_fork()
            watchers: list = self.loop.signals[self.position]
            remove_from(watchers, self)
            give_up(self.loop, self.position)
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)

    def set(self, signum) -> None:
        """Watch another signal; raises Error while the watcher is active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = check_signum(signum)
        check_inactive(self, "set() can't be called")
        self.position = number

    @property
    def signum(self) -> int:
        """The number of the signal. Read only."""
        return self.position

    def _describe(self) -> str:
        return f"signum={self.position}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def give_up(loop: CallingLoop, signum: cython.int) -> cython.int:
    """Release a signal that has no watchers left."""
    if loop.signals.get(signum):
        return 0
    loop.signals.pop(signum, None)
    release(loop, signum)
    if loop.takes_signals_by_fd:
        unblock(loop, signum)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def queue_signals(loop: CallingLoop) -> cython.int:
    """Queue the watchers of the signals that have arrived.

    From the highest number down: the pending queue gives back the last one first.
    """
    signum: cython.int = NSIG
    loop.signals_pending = 0
    # A signal that comes from here on sets it again, whichever processor its thread runs on.
    __sync_synchronize()
    try:
        while signum > 1:
            signum -= 1
            if has_arrived(loop, signum):
                feed_signal_watchers(loop, signum)
                note_taken(signum)
    except BaseException:
        # Those that are not queued for want of memory come again.
        loop.signals_pending = 1
        raise
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def feed_signal_watchers(loop: CallingLoop, signum: cython.int) -> cython.int:
    watchers: list = loop.signals.get(signum)
    if watchers is not None:
        place: cython.Py_ssize_t = len(watchers)
        while place:
            place -= 1
            push(loop.queue, cython.cast(Watcher, watchers[place]), EV_SIGNAL)
    return 0


# By signalfd


@cython.cfunc
@cython.exceptval(-1, check=False)
def open_signalfd(loop: CallingLoop, signum: cython.int) -> cython.int:
    """Take one signal more by the loop's signalfd, which is made if need be."""
    mask: sigset_t
    sigemptyset(cython.address(mask))
    for number in loop.signals:
        sigaddset(cython.address(mask), number)
    if not loop.flags & EVFLAG_NOSIGMASK:
        pthread_sigmask(SIG_BLOCK, cython.address(mask), cython.NULL)
    io: Io = loop.signal_io
    fd: cython.int = signalfd(
        -1 if io is None else io.fd, cython.address(mask), SFD_CLOEXEC | SFD_NONBLOCK
    )
    if io is None:
        fd = loop.descriptors.apart(fd)
    if fd < 0:
        raise OSError(errno, f"signal {signum} can't be watched by a signalfd")
    if io is None:
        owner: OwnedDescriptor = own(fd, 0)
        io = new_internal_io(loop, fd, EV_READ, read_signalfd)
        io.data = owner
        io.start()
        loop.signal_io = io
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def unblock(loop: CallingLoop, signum: cython.int) -> cython.int:
    """Take one signal less by the signalfd, and the last one with it."""
    mask: sigset_t
    gone: sigset_t
    io: Io = loop.signal_io
    sigemptyset(cython.address(gone))
    sigaddset(cython.address(gone), signum)
    sigemptyset(cython.address(mask))
    for number in loop.signals:
        sigaddset(cython.address(mask), number)
    if io is not None:
        signalfd(io.fd, cython.address(mask), 0)
    if not loop.flags & EVFLAG_NOSIGMASK:
        pthread_sigmask(SIG_UNBLOCK, cython.address(gone), cython.NULL)
    return 0 if loop.signals else leave_signalfd(loop)


@cython.cfunc
@cython.exceptval(-1, check=False)
def leave_signalfd(loop: CallingLoop) -> cython.int:
    """Give up the signalfd, as in a forked child, where it is the parent's."""
    io: Io = loop.signal_io
    loop.signal_io = None
    if io is not None:
        Io.stop(io)
        cython.cast(OwnedDescriptor, io.data).close()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def reopen_signalfd(loop: CallingLoop) -> cython.int:
    """Have a signalfd again if there was one."""
    if loop.takes_signals_by_fd and loop.signal_io is None:
        for signum in loop.signals:
            return open_signalfd(loop, signum)
    return 0


def read_signalfd(io: Io, revents):
    """Note each signal that the signalfd has, as the C handler does."""
    info: signalfd_siginfo
    while read(io.fd, cython.address(info), cython.sizeof(info)) == cython.sizeof(info):
        if info.ssi_signo < NSIG and owned_by(io.loop, info.ssi_signo):
            note_signal(info.ssi_signo)
    queue_signals(io.loop)
