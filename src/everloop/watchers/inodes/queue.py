"""InotifyQueue: a descriptor of inotify(7) and the internal Io that watches it.

Invariants:
- A forked child shares the descriptor with its parent: it must neither read it nor change
  what it watches, only close it.
- No number is closed while a thread uses it in inotify_add_watch(): the last such closes it.

The GIL is released while the kernel looks up a path, which may take long, or
need another thread of this process (FUSE). All else is done under the GIL.
"""

import os

import cython
from cython.cimports.everloop.constants import EV_READ
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.sys.inotify import (
    IN_CLOEXEC,
    IN_NONBLOCK,
    inotify_add_watch,
    inotify_init1,
)
from cython.cimports.everloop.watchers.io import Io, new_internal_io
from cython.cimports.libc.errno import EBADF, EMFILE, errno
from cython.cimports.posix.unistd import close


@cython.cclass
class InotifyQueue:
    def __cinit__(self, loop: CallingLoop, callback):
        self.loop = loop
        self.callback = callback
        self.fd = -1
        self.closing = []

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)
        self.close_left()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open(self) -> cython.int:
        """Have a descriptor, watched by the loop; returns 0 or an errno."""
        if self.fd >= 0:
            return 0
        fd: cython.int = self.loop.descriptors.apart(inotify_init1(IN_NONBLOCK | IN_CLOEXEC))
        if fd < 0:
            return errno
        self.fd = fd
        self.generation = forking.generation
        io: Io = new_internal_io(self.loop, fd, EV_READ, self.callback)
        io.data = self
        # It may have been given up by another thread meanwhile.
        if self.fd == fd and self.io is None:
            self.io = io
            Io.start(io)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def close(self) -> cython.int:
        """Give up the descriptor and, with it, all that it watches."""
        fd: cython.int = self.fd
        if fd < 0:
            return 0
        self.fd = -1
        if self.io is not None:
            Io.stop(self.io)
            self.io = None
        # A thread still uses it, unless the thread was left behind in a fork.
        if self.marking and not self.inherited():
            self.closing.append(fd)
        else:
            with cython.nogil:
                close(fd)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def close_left(self) -> cython.void:
        """Close the descriptors that threads were using when they were given up."""
        if self.closing is not None:
            for fd in self.closing:
                close(cython.cast(cython.int, fd))
            self.closing.clear()

    @cython.cfunc
    @cython.exceptval(check=False)
    def inherited(self) -> cython.bint:
        """Whether the descriptor is one that the parent process uses."""
        return self.generation != forking.generation

    @cython.cfunc
    @cython.exceptval(-1)
    def add(self, path: bytes, mask: cython.uint) -> cython.int:
        """The wd of the inode at path, watched for what mask says, or -errno."""
        fd: cython.int = self.fd
        place: cython.p_char = path
        error: cython.int
        if fd < 0:
            return -EBADF
        self.marking += 1
        with cython.nogil:
            wd: cython.int = inotify_add_watch(fd, place, mask)
            error = errno
        self.marking -= 1
        if self.marking == 0:
            self.close_left()
        if self.fd != fd:
            return -EBADF
        return wd if wd >= 0 else -error


@cython.cfunc
def no_queue(error: cython.int, path: object) -> object:
    """The OSError for a descriptor that could not be had."""
    if error != EMFILE:
        return OSError(error, os.strerror(error), path)
    try:
        os.close(os.open("/", os.O_PATH))
    except OSError as failure:
        return OSError(error, failure.strerror, path)
    return too_many("instances", "max_user_instances", error, path)


@cython.cfunc
def too_many(what: str, sysctl: str, error: cython.int, path: object) -> object:
    """The OSError for one of inotify's limits."""
    limit: str = "?"
    try:
        with open(f"/proc/sys/fs/inotify/{sysctl}") as file:
            limit = file.read().strip()
    except OSError:
        pass
    return OSError(
        error,
        f"all {what} of inotify that this user may have are in use: "
        f"raise the sysctl fs.inotify.{sysctl}, which is {limit}",
        path,
    )
