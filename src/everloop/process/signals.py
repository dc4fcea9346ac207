"""Which loop each signal of the process belongs to, and the C handler that tells it.

Signals belong to the process, so this table does too. A slot is claimed by a loop
when its first watcher of the signal starts, and released with the last. In a forked
child the claims of the parent's loops hold no longer, but for the loops that the child
goes on with.

The handler runs in any thread at any time: it touches C variables only. It notes
the signal in the slot and in the loop, and wakes the loop if that may be waiting.
The loop notes that it waits before it looks for noted signals for the last time,
so that either it sees the signal or the handler sees that it has to be woken. A slot
that is released is not given away before no handler can be using it any more
(``handlers``).

All else that changes slots has the lock ``claims``. To wait for it does not give up a
loop's section: a loop has the signal from the start of its first watcher to the stop of
its last one, whatever other threads do to others of them meanwhile.

Invariants:
- ``slots[n].loop`` is borrowed, and is NULL unless that loop is there and open: a
  loop gives up its signals when it is closed or freed. It may be about to be freed in
  another thread, so nobody makes a reference from it: what the slot needs of its loop
  it has pointers to.
- ``slots[n].wake_fd`` points into the loop's waker, which is there as long as the loop.
- ``slots[n].before`` is the handler to be put back, while ``slots[n].handled``.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.constants import EVFLAG_NOSIGMASK
from cython.cimports.everloop.engine.kernel_side import KernelLoop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.sys.compiler import __sync_fetch_and_add, __sync_synchronize
from cython.cimports.everloop.sys.eventfd import eventfd_write
from cython.cimports.everloop.sys.process import pthread_atfork, sched_yield
from cython.cimports.everloop.sys.signal import (
    NSIG,
    SA_ONSTACK,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    SIG_UNBLOCK,
    SIGKILL,
    SIGSTOP,
    Handler,
    pthread_sigmask,
    sigaction,
    sigaction_t,
    sigaddset,
    sigemptyset,
    sigfillset,
    sigset_t,
)
from cython.cimports.everloop.sys.threads import acquire, unlock
from cython.cimports.libc.errno import errno
from cython.cimports.posix.time import nanosleep, timespec

from everloop.errors import Error


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def note_signal(signum: cython.int) -> cython.void:
    """What happens when a signal arrives; the C handler."""
    saved: cython.int = errno
    slot: cython.pointer[Slot] = cython.address(slots[signum])
    replaced: Handler = cython.NULL
    __sync_fetch_and_add(handlers, 1)
    if slot.loop != cython.NULL:
        slot.pending = 1
        slot.signals_pending[0] = 1
        __sync_synchronize()
        if slot.alert[0]:
            eventfd_write(slot.wake_fd[0], 1)
    if slot.shared:
        replaced = slot.before.sa_handler
    __sync_fetch_and_add(handlers, -1)
    if replaced != cython.NULL:
        replaced(signum)
    cython.address(errno)[0] = saved


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def forget_handlers() -> cython.void:
    """In a forked child: the threads of the parent that were in the handler are not here."""
    handlers[0] = 0


pthread_atfork(cython.NULL, cython.NULL, forget_handlers)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def wait_for_handlers() -> cython.void:
    """A slot has been released: let the handlers end that other threads may be in.

    A few instructions and a system call, but such a thread may have to wait for a processor.
    Not for ever, should one never come back.
    """
    tries: cython.int = 0
    moment: timespec
    moment.tv_sec = 0
    moment.tv_nsec = 1000000
    __sync_synchronize()
    while __sync_fetch_and_add(handlers, 0) and tries < 2000:
        tries += 1
        if tries < 1000:
            sched_yield()
        else:
            nanosleep(cython.address(moment), cython.NULL)


@cython.cfunc
@cython.exceptval(-1, check=False)
def claim(loop: KernelLoop, signum: cython.int) -> cython.int:
    """Make the signal the loop's own; Error if it is another's."""
    error: cython.int = 0
    acquire(cython.address(claims))
    available: cython.bint = is_available(loop, signum)
    if available and not owned_by(loop, signum):
        error = occupy(cython.address(slots[signum]), loop, signum)
    unlock(cython.address(claims))
    if not available:
        raise_taken(signum)
    if error:
        raise OSError(error, f"signal {signum} can't be handled")
    return 0


def check_available(loop: KernelLoop, signum) -> None:
    """Raises Error if another loop watches the signal."""
    number: cython.int = check_signum(signum)
    acquire(cython.address(claims))
    available: cython.bint = is_available(loop, number)
    unlock(cython.address(claims))
    if not available:
        raise_taken(number)


@cython.cfunc
@cython.exceptval(-1, check=False)
def raise_taken(signum: cython.int) -> cython.int:
    raise Error(f"signal {signum} is watched by another loop: a signal belongs to one loop")


@cython.cfunc
@cython.exceptval(check=False)
def is_available(loop: KernelLoop, signum: cython.int) -> cython.bint:
    """Whether the signal is nobody's or the loop's own; the caller has ``claims``."""
    slot: cython.pointer[Slot] = cython.address(slots[signum])
    if slot.loop == cython.NULL or owned_by(loop, signum):
        return True
    if slot.generation[0] == forking.generation:
        return False
    # A forked child is not bound by a loop that it did not go on with.
    vacate(slot, signum)
    return True


@cython.cfunc
@cython.exceptval(check=False)
def occupy(slot: cython.pointer[Slot], loop: KernelLoop, signum: cython.int) -> cython.int:
    """Give nobody's signal to the loop; 0 or an errno."""
    slot.signals_pending = cython.address(loop.signals_pending)
    slot.alert = cython.address(loop.alert)
    slot.wake_fd = cython.address(loop.waker.fd)
    slot.generation = cython.address(loop.generation)
    slot.pending = 0
    slot.loop = cython.cast(cython.pointer[PyObject], loop)
    if not loop.takes_signals_by_fd and install(slot, signum, loop.flags):
        slot.loop = cython.NULL
        return errno
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def install(slot: cython.pointer[Slot], signum: cython.int, flags: cython.int) -> cython.int:
    """Put the handler in place, and the signal out of the thread's mask; 0 or -1."""
    action: sigaction_t
    unblocked: sigset_t
    action.sa_handler = note_signal
    action.sa_flags = SA_RESTART | SA_ONSTACK
    sigfillset(cython.address(action.sa_mask))
    if sigaction(signum, cython.address(action), cython.address(slot.before)):
        return -1
    slot.handled = 1
    if not flags & EVFLAG_NOSIGMASK:
        sigemptyset(cython.address(unblocked))
        sigaddset(cython.address(unblocked), signum)
        pthread_sigmask(SIG_UNBLOCK, cython.address(unblocked), cython.NULL)
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def release(loop: KernelLoop, signum: cython.int) -> cython.void:
    """Give the signal up: the handler from before comes back.

    Unless somebody has put another in our place meanwhile, which then stays.
    """
    acquire(cython.address(claims))
    if owned_by(loop, signum):
        vacate(cython.address(slots[signum]), signum)
    unlock(cython.address(claims))


@cython.cfunc
@cython.exceptval(check=False)
def vacate(slot: cython.pointer[Slot], signum: cython.int) -> cython.void:
    """Make the signal nobody's; the caller has ``claims``."""
    current: sigaction_t
    if slot.handled:
        sigaction(signum, cython.NULL, cython.address(current))
        if current.sa_handler == note_signal:
            sigaction(signum, cython.address(slot.before), cython.NULL)
    slot.handled = 0
    slot.shared = 0
    slot.loop = cython.NULL
    wait_for_handlers()


@cython.cfunc
@cython.exceptval(check=False)
def release_all(loop: KernelLoop) -> cython.void:
    """For a loop that is freed, perhaps with watchers still active."""
    signum: cython.int
    for signum in range(1, NSIG):
        release(loop, signum)


def share(loop: KernelLoop, signum, shared) -> None:
    """A Python handler has been set: take the signal back, if a Signal watcher has it.

    shared: whether the Python handler is to have it as well.
    """
    number: cython.int = check_signum(signum)
    wanted: cython.bint = bool(shared)
    acquire(cython.address(claims))
    if owned_by(loop, number) and slots[number].handled:
        take_back(cython.address(slots[number]), number, wanted)
    unlock(cython.address(claims))


@cython.cfunc
@cython.exceptval(check=False)
def take_back(slot: cython.pointer[Slot], signum: cython.int, shared: cython.bint) -> cython.void:
    slot.shared = 0
    wait_for_handlers()
    current: sigaction_t
    sigaction(signum, cython.NULL, cython.address(current))
    if current.sa_handler != note_signal:
        install(slot, signum, EVFLAG_NOSIGMASK)
    if shared and slot.before.sa_handler != SIG_DFL and slot.before.sa_handler != SIG_IGN:
        slot.shared = 1


@cython.cfunc
@cython.exceptval(check=False)
def owned_by(loop: KernelLoop, signum: cython.int) -> cython.bint:
    return slots[signum].loop == cython.cast(cython.pointer[PyObject], loop)


@cython.cfunc
@cython.exceptval(check=False)
def has_arrived(loop: KernelLoop, signum: cython.int) -> cython.bint:
    """Whether the loop's signal has arrived since it was last noted as taken."""
    return owned_by(loop, signum) and slots[signum].pending != 0


@cython.cfunc
@cython.exceptval(check=False)
def note_taken(signum: cython.int) -> cython.void:
    """The signal's watchers have been queued. One that comes from here on is another."""
    slots[signum].pending = 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_signum(signum: object) -> cython.int:
    """The number of a signal that can be watched; ValueError for any other."""
    number: cython.int = whole("signum", signum)
    if number < 1 or number >= NSIG:
        raise ValueError(f"signum must be from 1 to {NSIG - 1}, not {signum!r}")
    if number == SIGKILL or number == SIGSTOP:
        raise ValueError(f"signal {number} can't be watched: the kernel keeps it to itself")
    return number


def feed_signal(signum) -> None:
    """Act as if the signal had arrived: its Signal watchers will be called.

    Does nothing if no loop watches it. Thread-safe; wakes the loop. Raises
    ValueError for what is not a signal.
    """
    note_signal(check_signum(signum))
