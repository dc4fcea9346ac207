"""What the loop knows of each descriptor: its watchers, and what it told the kernel.

A table indexed by descriptor. Watchers come and go without a system call: they
are linked to their descriptor, the descriptor is noted as changed, and once a
pass the loop hands the changes to the backend.

Invariants:
- The watchers of a descriptor are chained through ``Io.next_on_fd``, the latest
  started one first (so that they are called in the order of starting, since
  the pending queue turns it round).
- Chains borrow their watchers, which are active and so owned by the roster.
- Chains are changed, and fed to the pending queue, by inline functions: see
  descriptors_inline.pxd.
- ``linked`` watchers are in all the chains.
- ``changes`` lists each descriptor flagged CHANGED once.
- The table grows up to the highest descriptor in use. A number beyond it that
  no open file has gets no place: its watcher waits among the strays for the
  loop to report it.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.queues.descriptors_inline import link
from cython.cimports.everloop.queues.entry import STRAY, Entry, remove_from
from cython.cimports.everloop.queues.pending import PendingQueue
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.process import F_DUPFD_CLOEXEC, F_GETFD, fcntl
from cython.cimports.everloop.watchers.io import Io
from cython.cimports.libc.errno import errno
from cython.cimports.libc.string import memcpy, memmove
from cython.cimports.posix.unistd import close

from everloop.errors import Error


@cython.final
@cython.cclass
class DescriptorTable:
    def __cinit__(self):
        self.strays = []

    def __dealloc__(self):
        PyMem_RawFree(self.slots)
        PyMem_RawFree(self.changes)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def make_room(self, watcher: Entry) -> cython.int:
        """Have a place for an Io's descriptor; if it is not open, the Io is a stray."""
        fd: cython.int = cython.cast(Io, watcher).fd
        if fcntl(fd, F_GETFD) >= 0:
            return grow(self, fd)
        self.strays.append(watcher)
        watcher.flags |= STRAY
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def forget_stray(self, watcher: Entry) -> cython.int:
        watcher.flags &= ~STRAY
        return remove_from(self.strays, watcher)

    @cython.cfunc
    @cython.exceptval(check=False)
    def apart(self, fd: cython.int) -> cython.int:
        """For a descriptor of the loop's own: move it, if it got a number that is watched.

        The file that had the number was closed under its watcher. Returns the number
        to use, or -1 with errno.
        """
        while self.is_watched(fd):
            fd = move_up(fd)
        return fd

    @cython.cfunc
    @cython.exceptval(check=False)
    def apart_from_all(self, fd: cython.int) -> cython.int:
        """For one that no Io watches: no number will do that the kernel may still tell of.

        A file that has been closed is watched as long as another descriptor of it is open.
        """
        while self.is_watched(fd) or (0 <= fd < self.capacity and self.slots[fd].registered):
            fd = move_up(fd)
        return fd

    @cython.cfunc
    @cython.exceptval(check=False)
    def is_watched(self, fd: cython.int) -> cython.bint:
        return 0 <= fd < self.capacity and self.slots[fd].head != cython.NULL

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take_in_strays(self) -> cython.int:
        """Give those a place whose numbers have been opened meanwhile."""
        for watcher in self.strays.copy():
            if fcntl(cython.cast(Io, watcher).fd, F_GETFD) >= 0:
                self.forget_stray(watcher)
                link(self, watcher)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def feed_strays(self, fd: cython.int, revents: cython.int, pending: PendingQueue) -> cython.int:
        """Queue those of a number that ask for any of revents: what feed() is to the others."""
        io: Io
        for io in self.strays[::-1]:
            if io.fd == fd and io.extra & revents:
                push(pending, io, io.extra & revents)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def mark_changed(self, fd: cython.int, flags: cython.int) -> cython.int:
        slot: cython.pointer[Descriptor] = cython.address(self.slots[fd])
        if not slot.flags & CHANGED:
            if self.change_count == self.change_capacity:
                grow_changes(self)
            self.changes[self.change_count] = fd
            self.change_count += 1
        slot.flags |= CHANGED | flags
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def mark_all_changed(self) -> cython.int:
        """After the kernel's side is lost: nothing is registered, all is to be told anew."""
        fd: cython.int
        for fd in range(self.capacity):
            self.slots[fd].registered = 0
            self.slots[fd].wanted = 0
            if self.slots[fd].head != cython.NULL:
                self.mark_changed(fd, DOUBTED)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def watched_events(self, fd: cython.int) -> cython.int:
        """The events that any watcher of the descriptor asks for."""
        events: cython.int = 0
        io: cython.pointer[PyObject] = self.slots[fd].head
        while io != cython.NULL:
            events |= cython.cast(Io, io).extra
            io = cython.cast(Io, io).next_on_fd
        return events

    @cython.cfunc
    @cython.exceptval(check=False)
    def tell(self, fd: cython.int, backend: Backend) -> cython.int:
        """Tell the backend of one descriptor, which stays listed; 0 or an errno."""
        slot: cython.pointer[Descriptor] = cython.address(self.slots[fd])
        events: cython.int = self.watched_events(fd)
        if events == slot.wanted and not (events and slot.flags & DOUBTED):
            return 0
        error: cython.int = backend.modify(fd, slot.wanted, events)
        if not error:
            slot.wanted = cython.cast(cython.uchar, events)
            slot.flags &= ~DOUBTED
        return error

    @cython.cfunc
    @cython.exceptval(check=False)
    def hand_over(self, backend: Backend) -> cython.void:
        """Tell the backend of all changes, up to one that it refuses (backend.refused_fd).

        The refused change and those after it stay listed.
        """
        done: cython.int = 0
        while done < self.change_count:
            fd: cython.int = self.changes[done]
            error: cython.int = self.tell(fd, backend)
            if error:
                backend.refuse(fd, error)
                break
            self.slots[fd].flags = 0
            done += 1
        self.change_count -= done
        if self.change_count == 0 and self.change_capacity > 1024:
            PyMem_RawFree(self.changes)
            self.changes = cython.NULL
            self.change_capacity = 0
        elif self.change_count:
            memmove(
                self.changes,
                cython.address(self.changes[done]),
                self.change_count * cython.sizeof(cython.int),
            )

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def verify(self) -> cython.int:
        fd: cython.int
        listed: cython.int = 0
        linked: cython.int = 0
        for fd in range(self.capacity):
            if self.slots[fd].flags & CHANGED:
                listed += 1
            elif self.slots[fd].wanted != self.watched_events(fd):
                raise Error(f"descriptor table: the events wanted of {fd} are out of date")
            io: cython.pointer[PyObject] = self.slots[fd].head
            while io != cython.NULL:
                watcher: Io = cython.cast(Io, io)
                if watcher.fd != fd:
                    raise Error(f"descriptor table: {watcher!r} is in the chain of {fd}")
                if watcher.seat == 0:
                    raise Error(f"descriptor table: {watcher!r} is not owned by the loop")
                linked += 1
                io = watcher.next_on_fd
        if linked != self.linked:
            raise Error("descriptor table: the count of linked watchers is wrong")
        if listed != self.change_count:
            raise Error("descriptor table: the list of changes is wrong")
        for listed in range(self.change_count):
            if not self.slots[self.changes[listed]].flags & CHANGED:
                raise Error("descriptor table: a change is listed twice")
        return 0


@cython.cfunc
@cython.exceptval(check=False)
def move_up(fd: cython.int) -> cython.int:
    """The descriptor under a higher number, or -1 with errno."""
    moved: cython.int = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1)
    error: cython.int = errno
    close(fd)
    cython.address(errno)[0] = error
    return moved


@cython.cfunc
@cython.exceptval(-1, check=False)
def grow(table: DescriptorTable, fd: cython.int) -> cython.int:
    """Make room for fd, an open file: the table stays within what the process may open."""
    capacity: cython.int = table.capacity + table.capacity // 2
    if capacity < 64:
        capacity = 64
    if capacity <= fd:
        capacity = fd + 1
    # Zeroed by the system, where what is not used yet takes no memory.
    slots = cython.cast(
        cython.pointer[Descriptor], PyMem_RawCalloc(capacity, cython.sizeof(Descriptor))
    )
    if slots == cython.NULL:
        raise MemoryError("no memory for descriptors")
    if table.capacity:
        memcpy(slots, table.slots, table.capacity * cython.sizeof(Descriptor))
    PyMem_RawFree(table.slots)
    table.slots = slots
    table.capacity = capacity
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def grow_changes(table: DescriptorTable) -> cython.int:
    capacity: cython.int = table.change_capacity * 2 if table.change_capacity else 16
    changes = cython.cast(
        cython.p_int, PyMem_RawRealloc(table.changes, capacity * cython.sizeof(cython.int))
    )
    if changes == cython.NULL:
        raise MemoryError("no memory for descriptors")
    table.changes = changes
    table.change_capacity = capacity
    return 0
