"""The poll backend. See poll(2).

The kernel is given the whole array at each call, so a descriptor that was closed
or opened anew is noticed by itself.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.backends.bits import from_kernel, to_kernel
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.queues.descriptors import Descriptor
from cython.cimports.everloop.queues.descriptors_inline import report
from cython.cimports.everloop.sys.poll import POLLIN, POLLNVAL, pollfd, ppoll
from cython.cimports.libc.errno import EBADF, ENOMEM
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
        Backend.close(self)

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
        self.files[slot.token - 1].events = to_kernel(new)
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
    def report_ready(self, ready: cython.int) -> cython.int:
        place: cython.int = 0
        while ready and place < self.count:
            if self.files[place].revents:
                ready -= 1
                self.report_file(cython.address(self.files[place]))
            place += 1
        return 0

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
        slot: cython.pointer[Descriptor] = cython.address(self.table.slots[file.fd])
        return report(slot, from_kernel(file.revents), self.pending)
