"""The select backend. See select(2).

The C library's fd_set holds descriptors below FD_SETSIZE only, but the kernel
takes sets of any size: these are of our own making, with the kernel's layout,
an array of ``unsigned long`` with a bit a descriptor.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawCalloc, PyMem_RawFree
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.queues.descriptors_inline import report
from cython.cimports.everloop.sys.process import F_GETFD, fcntl
from cython.cimports.everloop.sys.select import fd_set, pselect
from cython.cimports.libc.errno import EBADF, ENOMEM
from cython.cimports.libc.string import memcpy, memset
from cython.cimports.posix.time import timespec


@cython.final
@cython.cclass
class SelectBackend(Backend):
    def __dealloc__(self):
        PyMem_RawFree(self.sets)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_waker(self, fd: cython.int) -> cython.int:
        if self.watch(fd, EV_READ):
            raise MemoryError("no memory for the select backend")
        self.wake_fd = fd
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        if self.sets != cython.NULL:
            memset(self.sets, 0, 4 * self.words * cython.sizeof(cython.ulong))
        self.limit = 0
        Backend.close(self)

    @cython.cfunc
    @cython.exceptval(check=False)
    def modify(self, fd: cython.int, old: cython.int, new: cython.int) -> cython.int:
        error: cython.int = self.watch(fd, new)
        if not error:
            self.table.slots[fd].registered = new
        return error

    @cython.cfunc
    @cython.exceptval(check=False)
    def watch(self, fd: cython.int, events: cython.int) -> cython.int:
        """Set or clear the bits of fd; 0 or ENOMEM."""
        word: cython.int = fd // WORD_BITS
        bit: cython.ulong = cython.cast(cython.ulong, 1) << (fd % WORD_BITS)
        if word >= self.words and self.grow(word + 1):
            return ENOMEM
        if events & EV_READ:
            self.sets[READ * self.words + word] |= bit
        else:
            self.sets[READ * self.words + word] &= ~bit
        if events & EV_WRITE:
            self.sets[WRITE * self.words + word] |= bit
        else:
            self.sets[WRITE * self.words + word] &= ~bit
        if events and fd >= self.limit:
            self.limit = fd + 1
        while self.limit and not self.watched(self.limit - 1):
            self.limit -= 1
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def watched(self, fd: cython.int) -> cython.bint:
        word: cython.int = fd // WORD_BITS
        bits: cython.ulong = self.sets[READ * self.words + word]
        bits |= self.sets[WRITE * self.words + word]
        return (bits >> (fd % WORD_BITS)) & 1 != 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def grow(self, words: cython.int) -> cython.int:
        """Make the sets larger; 0, or -1 for want of memory."""
        if words < self.words * 2:
            words = self.words * 2
        sets = cython.cast(cython.p_ulong, PyMem_RawCalloc(4 * words, cython.sizeof(cython.ulong)))
        if sets == cython.NULL:
            return -1
        place: cython.int
        # Without sets there is nothing to copy: memcpy() must not see NULL even then.
        for place in range(2 if self.words else 0):
            memcpy(
                cython.address(sets[place * words]),
                cython.address(self.sets[place * self.words]),
                self.words * cython.sizeof(cython.ulong),
            )
        PyMem_RawFree(self.sets)
        self.sets = sets
        self.words = words
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        if self.words:
            memcpy(
                cython.address(self.sets[READABLE * self.words]),
                self.sets,
                2 * self.words * cython.sizeof(cython.ulong),
            )
        span: timespec
        span.tv_sec = timeout // NANO
        span.tv_nsec = timeout % NANO
        return pselect(
            self.limit,
            cython.cast(cython.pointer[fd_set], cython.address(self.sets[READABLE * self.words])),
            cython.cast(cython.pointer[fd_set], cython.address(self.sets[WRITABLE * self.words])),
            cython.NULL,
            cython.NULL if timeout >= FOREVER else cython.address(span),
            cython.NULL,
        )

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_ready(self, ready: cython.int) -> cython.int:
        word: cython.int
        bit: cython.int
        readable: cython.ulong
        writable: cython.ulong
        for word in range(self.words):
            readable = self.sets[READABLE * self.words + word]
            writable = self.sets[WRITABLE * self.words + word]
            if not readable | writable:
                continue
            for bit in range(WORD_BITS - 1, -1, -1):
                self.report_bits(
                    word * WORD_BITS + bit,
                    (EV_READ if (readable >> bit) & 1 else 0)
                    | (EV_WRITE if (writable >> bit) & 1 else 0),
                )
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_bits(self, fd: cython.int, revents: cython.int) -> cython.int:
        if revents == 0:
            return 0
        if fd == self.wake_fd:
            self.woken = True
            return 0
        return report(cython.address(self.table.slots[fd]), revents, self.pending)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def failed(self, error: cython.int) -> cython.int:
        if error != EBADF:
            return Backend.failed(self, error)
        self.find_closed()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def find_closed(self) -> cython.void:
        """select() says that some descriptor is closed, but not which."""
        fd: cython.int
        for fd in range(self.limit):
            if fd != self.wake_fd and self.watched(fd) and fcntl(fd, F_GETFD) < 0:
                self.refuse(fd, EBADF)
