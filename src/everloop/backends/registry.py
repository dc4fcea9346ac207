"""Which backends there are, the best one first."""

import cython
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.backends.epoll import EpollBackend
from cython.cimports.everloop.backends.poll import PollBackend
from cython.cimports.everloop.backends.select import SelectBackend
from cython.cimports.everloop.constants import (
    EVBACKEND_EPOLL,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
)
from cython.cimports.everloop.queues.descriptors import DescriptorTable
from cython.cimports.everloop.queues.pending import PendingQueue
from cython.cimports.everloop.sys.epoll import EPOLL_CLOEXEC, epoll_create1
from cython.cimports.libc.errno import EMFILE, ENFILE, errno
from cython.cimports.posix.unistd import close

BACKENDS = (
    (EVBACKEND_EPOLL, EpollBackend),
    (EVBACKEND_POLL, PollBackend),
    (EVBACKEND_SELECT, SelectBackend),
)


@cython.cfunc
def new_backend(flags: cython.int, table: DescriptorTable, pending: PendingQueue) -> Backend:
    """The best backend that flags allow, not yet open; None if there is none."""
    for flag, kind in BACKENDS:
        if flags & cython.cast(cython.int, flag):
            backend: Backend = kind()
            backend.flag = flag
            backend.table = table
            backend.pending = pending
            return backend
    return None


def supported_backends() -> int:
    """The EVBACKEND_* bits of the backends that everloop was built with."""
    bits = 0
    for flag, _ in BACKENDS:
        bits |= flag
    return bits


def recommended_backends() -> int:
    """The supported backends that work on the running system.

    A loop made without backend bits uses the best of these: epoll where the
    kernel lets us have it, else poll, else select.
    """
    bits = supported_backends()
    if not epoll_works():
        bits &= ~EVBACKEND_EPOLL
    return bits


def embeddable_backends() -> int:
    """The backends whose loops can be embedded in another loop: epoll, where it works."""
    return EVBACKEND_EPOLL if epoll_works() else 0


@cython.cfunc
def epoll_works() -> cython.bint:
    fd: cython.int = epoll_create1(EPOLL_CLOEXEC)
    if fd < 0:
        # No descriptor to be had says nothing about the kernel.
        return errno == EMFILE or errno == ENFILE
    close(fd)
    return True
