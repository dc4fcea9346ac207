"""The poll backend. See poll(2).

The kernel is given the whole array at each call, so a descriptor that was closed
or opened anew is noticed by itself.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.queues.descriptors import Descriptor
from cython.cimports.everloop.queues.descriptors_inline import report
from cython.cimports.everloop.sys.poll import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    pollfd,
    ppoll,
)
from cython.cimports.libc.errno import EBADF, EINTR, ENOMEM, errno
from cython.cimports.posix.time import timespec


@cython.final
@cython.cclass
class PollBackend(Backend):
    def __dealloc__(self):
        PyMem_RawFree(self.files)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_waker(self, fd: cython.int) -> cython.int:
        if self.add(fd):
            raise MemoryError("no memory for the poll backend")
        self.files[self.count - 1].events = POLLIN
        self.wake_fd = fd
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        self.count = 0
        self.wake_fd = -1
        self.refused_fd = -1

    @cython.cfunc
    @cython.exceptval(check=False)
    def modify(self, fd: cython.int, old: cython.int, new: cython.int) -> cython.int:
        slot: cython.pointer[Descriptor] = cython.address(self.table.slots[fd])
        if new == 0:
            if slot.registered:
                self.remove(slot)
            return 0
        if not slot.registered:
            if self.add(fd):
                return ENOMEM
            slot.token = self.count
        slot.registered = new
        self.files[slot.token - 1].events = (POLLIN if new & EV_READ else 0) | (
            POLLOUT if new & EV_WRITE else 0
        )
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def add(self, fd: cython.int) -> cython.int:
        """Append fd to the array; 0, or -1 for want of memory."""
        if self.count == self.capacity:
            capacity: cython.int = self.capacity * 2 if self.capacity else 16
            files = cython.cast(
                cython.pointer[pollfd],
                PyMem_RawRealloc(self.files, capacity * cython.sizeof(pollfd)),
            )
            if files == cython.NULL:
                return -1
            self.files = files
            self.capacity = capacity
        self.files[self.count].fd = fd
        self.files[self.count].revents = 0
        self.count += 1
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def remove(self, slot: cython.pointer[Descriptor]) -> cython.void:
        """Let the last one take the place of the descriptor's file."""
        place: cython.int = slot.token - 1
        slot.registered = 0
        self.count -= 1
        if place < self.count:
            self.files[place] = self.files[self.count]
            if self.files[place].fd != self.wake_fd:
                self.table.slots[self.files[place].fd].token = place + 1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def poll(self, timeout: nanoseconds, hold_gil: cython.bint) -> cython.int:
        ready: cython.int
        if hold_gil:
            ready = self.wait(0)
        else:
            with cython.nogil:
                ready = self.wait(timeout)
        self.woken = False
        if ready < 0:
            if errno != EINTR:
                raise OSError(errno, "poll() failed")
            return 0
        left: cython.int = ready
        place: cython.int = 0
        while left and place < self.count:
            if self.files[place].revents:
                left -= 1
                self.report_file(cython.address(self.files[place]))
            place += 1
        return ready

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        if timeout >= FOREVER:
            return ppoll(self.files, self.count, cython.NULL, cython.NULL)
        limit: timespec
        limit.tv_sec = timeout // NANO
        limit.tv_nsec = timeout % NANO
        return ppoll(self.files, self.count, cython.address(limit), cython.NULL)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_file(self, file: cython.pointer[pollfd]) -> cython.int:
        if file.fd == self.wake_fd:
            self.woken = True
            return 0
        if file.revents & POLLNVAL:
            self.refuse(file.fd, EBADF)
            return 0
        revents: cython.int = 0
        if file.revents & (POLLIN | POLLERR | POLLHUP):
            revents = EV_READ
        if file.revents & (POLLOUT | POLLERR | POLLHUP):
            revents |= EV_WRITE
        return report(cython.address(self.table.slots[file.fd]), revents, self.pending)
