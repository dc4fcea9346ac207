"""Inotify: what a loop's Stat watchers learn from inotify(7), all through one descriptor.

Each active Stat has a Trail: the inodes that its path leads over. inotify gives
one watch descriptor (wd) for each inode, however many trails lead there, so the
marks know by wd and name who is interested:

- ``b""``: in events of the inode itself;
- a name: in events of the entry of that name, in a directory;
- ``None``: in events of all its entries.

Invariants:
- ``trail in marks[wd][name]`` where ``(wd, name) in trail.interests``, unless the
  kernel has dropped wd meanwhile. wds are not used again by the kernel.
- The kernel watches the wds in ``marks``. Those without a trail are removed at
  once, or, while some thread may be getting the same wd anew, by the last such.
- The descriptor is opened by the first trail that needs it and closed when the
  last one leaves. The loop owns its Io, which is internal, as long.
"""

import cython
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.sys.inotify import (
    IN_CLOSE_WRITE,
    IN_DONT_FOLLOW,
    IN_IGNORED,
    IN_MASK_ADD,
    IN_MODIFY,
    IN_Q_OVERFLOW,
    inotify_event,
    inotify_rm_watch,
)
from cython.cimports.everloop.watchers.inodes.queue import InotifyQueue
from cython.cimports.libc.stdint import uint64_t
from cython.cimports.posix.unistd import read


@cython.final
@cython.cclass
class Trail:
    """What an active Stat watches for: made by its start, left by its stop."""

    def __cinit__(self):
        self.interests = {}


@cython.final
@cython.cclass
class Inotify(InotifyQueue):
    def __cinit__(self, loop: CallingLoop, callback):
        self.trails = {}
        self.marks = {}
        self.emptied = []

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def join(self, trail: Trail) -> cython.int:
        self.trails[trail] = True
        trail.inotify = self
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def leave(self, trail: Trail) -> cython.int:
        """Forget the trail; nothing if it has left."""
        trail.left = True
        interests: dict = trail.interests
        trail.interests = {}
        for wd, name in interests:
            self.unmark(trail, wd, name)
        self.trails.pop(trail, None)
        if self.guide is trail:
            self.guide = None
        if not self.trails:
            self.close()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def close(self) -> cython.int:
        if self.fd >= 0:
            self.marks = {}
            self.emptied = []
        return InotifyQueue.close(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def mark(self, trail: Trail, path: bytes, mask: cython.uint, name: object) -> cython.int:
        """Tell the trail of the events in mask of the inode at path; returns 0 or an errno.

        A symbolic link is not followed. The inode must be open()ed for.
        """
        ignored: cython.uint = self.ignored
        wd: cython.int = self.add(path, mask | IN_MASK_ADD | IN_DONT_FOLLOW)
        if wd < 0:
            self.sweep()
            return -wd
        names: dict = self.marks.setdefault(wd, {})
        if trail.left:
            self.remove(wd)
        else:
            names.setdefault(name, {})[trail] = True
            trail.interests[wd, name] = True
        # Another thread has read that the kernel dropped some wd: maybe this one.
        if ignored != self.ignored:
            trail.outdated = True
        self.sweep()
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def unmark(self, trail: Trail, wd: cython.int, name: object) -> cython.int:
        """Take back a mark()."""
        names: dict = self.marks.get(wd)
        if names is None or name not in names:
            return 0
        trails: dict = names[name]
        trails.pop(trail, None)
        if not trails:
            del names[name]
        return self.remove(wd)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def remove(self, wd: cython.int) -> cython.int:
        """Have the kernel watch the inode no longer if nobody is interested in it."""
        if self.marks.get(wd):
            return 0
        if self.marking:
            self.emptied.append(wd)
        elif self.marks.pop(wd, None) is not None and not self.inherited():
            inotify_rm_watch(self.fd, wd)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def sweep(self) -> cython.int:
        """What remove() had to put off."""
        if self.marking == 0 and self.emptied:
            emptied: list = self.emptied
            self.emptied = []
            for wd in emptied:
                self.remove(wd)
        return 0

    @cython.cfunc
    def read(self) -> dict:
        """The trails that the kernel has news for, mapped to whether to follow them anew.

        All trails, as long as `missed` is not taken back: what was read before was not
        acted upon, for want of memory.
        Reads once only: what is left makes the descriptor readable again.
        """
        touched: dict = {}
        if self.missed:
            touch(touched, self.trails, True)
        self.missed = True
        buffer: uint64_t[2048]
        start: cython.p_char = cython.cast(cython.p_char, buffer)
        header: cython.Py_ssize_t = cython.sizeof(inotify_event)
        place: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t = read(self.fd, buffer, cython.sizeof(buffer))
        while place + header <= size:
            event: cython.pointer[inotify_event] = cython.cast(
                cython.pointer[inotify_event], start + place
            )
            place += header + event.len
            # Not so only if somebody has put another file under our descriptor.
            if place <= size:
                self.note(event, touched)
        return touched

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def note(self, event: cython.pointer[inotify_event], touched: dict) -> cython.int:
        """Add the trails that an event is of interest to."""
        if event.mask & IN_Q_OVERFLOW:
            touch(touched, self.trails, True)
            return 0
        names: dict = self.marks.get(event.wd)
        if event.mask & IN_IGNORED:
            self.ignored += 1
            if names is not None:
                del self.marks[event.wd]
                for trails in names.values():
                    touch(touched, trails, True)
        elif names is not None and event.len:
            name: bytes = cython.cast(bytes, cython.cast(cython.p_char, event.name))
            touch(touched, names.get(name), True)
            touch(touched, names.get(None), False)
        elif names is not None:
            touch(touched, names.get(b""), event.mask & (IN_MODIFY | IN_CLOSE_WRITE) == 0)
        return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def touch(touched: dict, trails: dict | None, anew: cython.bint) -> cython.int:
    """Add trails (None: none), to be followed anew if any event says so."""
    if trails is not None:
        for trail in trails:
            touched[trail] = anew or touched.get(trail, False)
    return 0
