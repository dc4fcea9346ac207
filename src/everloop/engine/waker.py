"""Waker: gets a loop out of its wait, from another thread or a signal handler."""

import cython
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.queues.descriptors import DescriptorTable
from cython.cimports.everloop.sys.eventfd import (
    EFD_CLOEXEC,
    EFD_NONBLOCK,
    eventfd,
    eventfd_read,
    eventfd_write,
)
from cython.cimports.everloop.sys.threads import acquire, unlock
from cython.cimports.libc.errno import errno
from cython.cimports.libc.stdint import uint64_t
from cython.cimports.posix.unistd import close


@cython.final
@cython.cclass
class Waker:
    """An eventfd(2), watched by the loop's backend."""

    def __cinit__(self):
        self.fd = -1
        self.closing = -1
        self.generation = forking.generation

    def __dealloc__(self):
        self.close()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open(self, table: DescriptorTable) -> cython.int:
        self.fd = table.apart_from_all(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
        if self.fd < 0:
            raise OSError(errno, "the loop's eventfd can't be opened")
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        acquire(cython.address(self.lock))
        self.forget_writers()
        fd: cython.int = self.fd
        self.fd = -1
        if self.writers:
            self.closing = fd
        elif fd >= 0:
            close(fd)
        unlock(cython.address(self.lock))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def wake(self) -> cython.void:
        """Make the descriptor readable: for threads that are in the loop's section."""
        saved: cython.int = errno
        eventfd_write(self.fd, 1)
        cython.address(errno)[0] = saved

    @cython.cfunc
    @cython.exceptval(check=False)
    def wake_without_gil(self) -> cython.void:
        """The same for any thread, letting the loop's take the GIL while it wakes up.

        The descriptor stays open until no thread writes to it: its number must not
        become another file's meanwhile.
        """
        acquire(cython.address(self.lock))
        self.forget_writers()
        fd: cython.int = self.fd
        self.writers += 1
        unlock(cython.address(self.lock))
        with cython.nogil:
            eventfd_write(fd, 1)
        acquire(cython.address(self.lock))
        self.writers -= 1
        if self.writers == 0 and self.closing >= 0:
            close(self.closing)
            self.closing = -1
        unlock(cython.address(self.lock))

    @cython.cfunc
    @cython.exceptval(check=False)
    def forget_writers(self) -> cython.void:
        """In a forked child: the threads of the parent that were writing are not here."""
        if self.generation == forking.generation:
            return
        self.generation = forking.generation
        self.writers = 0
        if self.closing >= 0:
            close(self.closing)
            self.closing = -1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def drain(self) -> cython.void:
        """Make it unreadable again."""
        count: uint64_t
        eventfd_read(self.fd, cython.address(count))
