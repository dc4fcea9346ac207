"""Alarm: ends a wait of the kernel that has no time limit of its own.

A limit costs each wait a timer of the kernel's, made and taken away again, even
if events end it at once. An alarm is made once, for all the waits until it rings.

Its descriptor has a number that small programs have not had, so that one that closes
a number too often does not close this: waits would go on past their limit. A process
with threads would wait some milliseconds for the kernel's larger table, from 64 on.
"""

import cython
from cython.cimports.everloop.clock import NANO, nanoseconds
from cython.cimports.everloop.queues.descriptors import DescriptorTable
from cython.cimports.everloop.sys.process import F_DUPFD_CLOEXEC, fcntl
from cython.cimports.everloop.sys.timerfd import (
    TFD_CLOEXEC,
    TFD_NONBLOCK,
    timerfd_create,
    timerfd_gettime,
    timerfd_settime,
)
from cython.cimports.libc.string import memset
from cython.cimports.posix.time import CLOCK_MONOTONIC, itimerspec
from cython.cimports.posix.unistd import close


@cython.final
@cython.cclass
class Alarm:
    """A timerfd(2)."""

    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        self.close()

    @cython.cfunc
    @cython.exceptval(check=False)
    def open(self, table: DescriptorTable) -> cython.bint:
        """Whether there is one now."""
        fd: cython.int = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
        if fd >= 0:
            moved: cython.int = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER)
            if moved >= 0:
                close(fd)
                fd = moved
        self.fd = table.apart_from_all(fd)
        return self.fd >= 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        if self.fd >= 0:
            close(self.fd)
        self.fd = -1

    @cython.cfunc
    @cython.exceptval(check=False)
    def set(self, span: nanoseconds) -> cython.bint:
        """Have it ring after a span, and no more at another time; returns whether it will."""
        if self.fd < 0:
            return False
        limit: itimerspec
        memset(cython.address(limit), 0, cython.sizeof(limit))
        limit.it_value.tv_sec = span // NANO
        limit.it_value.tv_nsec = span % NANO
        return timerfd_settime(self.fd, 0, cython.address(limit), cython.NULL) == 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def there(self) -> cython.bint:
        """Whether its number is still that of a timerfd."""
        left: itimerspec
        return timerfd_gettime(self.fd, cython.address(left)) == 0
