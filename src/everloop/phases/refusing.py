"""RefusingLoop: what becomes of a watcher whose descriptor the kernel can't watch."""

import os

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.failures import describe
from cython.cimports.everloop.queues.entry import INTERNAL, STRAY
from cython.cimports.everloop.sys.process import F_GETFD, fcntl
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.internal.unwatched import internal_refused
from cython.cimports.everloop.watchers.io import Io
from cython.cimports.libc.errno import EBADF


@cython.cclass
class RefusingLoop(CallingLoop):
    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_at_once(self, watcher: Watcher) -> cython.int:
        """Have the kernel watch an Io now, not in the next pass; returns 0 or an errno."""
        io: Io = cython.cast(Io, watcher)
        self.after_fork()
        if self.inherited or self.kernel.lost:
            self.rebuild()
        if io.flags & STRAY:
            return EBADF
        if not self.kernel.silent:
            if fcntl(io.fd, F_GETFD) < 0:
                return EBADF
            if self.waiting:
                return 0  # the kernel uses what would change
        return self.descriptors.tell(io.fd, self.kernel)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def raise_refused(self) -> cython.int:
        """Deal with one watcher of a descriptor that the kernel can't watch."""
        fd: cython.int = self.kernel.refused_fd
        error: cython.int = self.kernel.refused_errno
        self.kernel.refused_fd = -1
        if fd >= 0:
            self.kernel.check(fd, error)
        # What the kernel said may be of the pass before: the number may be open by now.
        if fd >= 0 and (error != EBADF or fcntl(fd, F_GETFD) < 0):
            head: cython.pointer[PyObject] = self.descriptors.slots[fd].head
            if head != cython.NULL:
                # Owned here: the roster's may be the only reference until it is stopped.
                watcher: Watcher = cython.cast(Watcher, head)
                return self.refuse(watcher, error)
        self.descriptors.take_in_strays()
        if self.descriptors.strays:
            return self.refuse(self.descriptors.strays[0], EBADF)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refuse(self, watcher: Watcher, error: cython.int) -> cython.int:
        """Stop the Io, and say so; one of the loop's own is tried again."""
        if watcher.flags & INTERNAL:
            return internal_refused(self, watcher, error)
        name: str = describe(watcher)
        Io.stop(watcher)
        refusal = OSError(error, f"{os.strerror(error)}: {name} had to be stopped")
        if self.told(watcher, refusal):
            return 0
        raise refusal
