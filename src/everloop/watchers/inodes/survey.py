"""Survey: what an active Tree knows of the files below its directory, and has to tell.

Invariants:
- ``watched[known.wd] is known`` for each directory that the kernel tells of; ``wd`` is -1 for
  all others. A directory is watched before it is read, so that what happens in it later is
  told: what is read then may be told twice, but nothing is missed.
- Foreign code (the filter, the garbage collector, another thread) may stop the Tree at any
  time: whoever goes on after that looks at ``left``, and what it does then harms nobody.
- The descriptor is the Survey's own, and its queue: the storm of one Tree neither floods the
  queue of another nor that of the Stat watchers.
"""

import os

import cython
from cython.cimports.everloop.constants import EV_READ
from cython.cimports.everloop.engine.failures import callback_failed, set_error, system_error
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONLYDIR,
    inotify_rm_watch,
)
from cython.cimports.everloop.watchers.inodes.known import Known, KnownDirectory, look_at
from cython.cimports.everloop.watchers.inodes.queue import no_queue, too_many
from cython.cimports.everloop.watchers.inodes.tree_paths import TreePaths
from cython.cimports.everloop.watchers.io import Io
from cython.cimports.everloop.watchers.timer import Timer
from cython.cimports.libc.errno import (
    EACCES,
    EBADF,
    ELOOP,
    ENOENT,
    ENOMEM,
    ENOSPC,
    ENOTDIR,
)

NAMES = {
    CREATED: "created",
    DELETED: "deleted",
    MOVED: "moved",
    MODIFIED: "modified",
    CLOSED: "closed",
    ATTRIBUTES: "attributes",
}
MASK = cython.declare(
    cython.uint,
    IN_CREATE
    | IN_DELETE
    | IN_MOVED_FROM
    | IN_MOVED_TO
    | IN_MODIFY
    | IN_CLOSE_WRITE
    | IN_ATTRIB
    | IN_DELETE_SELF
    | IN_MOVE_SELF
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK,
)
# So many changes wait to be taken: then no more are read, and the kernel's queue fills.
CHANGES_AT_MOST = cython.declare(cython.Py_ssize_t, 65536)

new_tuple = tuple.__new__


@cython.final
@cython.cclass
class Survey(TreePaths):
    def __cinit__(self, loop, callback):
        # Not before somebody needs it: typing takes as long to import as all the rest.
        from everloop.watchers.inodes.changes import TreeChange

        self.change_type = TreeChange
        self.above = -1
        self.watched = {}
        self.touched = []
        self.suspect = []
        self.doubtful = {}
        self.events = []
        self.arrivals = {}
        self.changes = []
        self.told = {}

    # Its life

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def begin(self) -> cython.int:
        """Read the whole tree, and have the kernel tell what changes in it from now on."""
        self.busy = True
        error: cython.int = self.open()
        if error:
            raise no_queue(error, self.as_given(b""))
        # What comes meanwhile stays in the kernel's queue.
        if self.io is not None:
            Io.stop(self.io)
        try:
            self.location = os.path.realpath(self.location, strict=True)
        except OSError as failure:
            raise OSError(failure.errno, failure.strerror, self.as_given(b"")) from None
        self.base = self.location if self.location.endswith(b"/") else self.location + b"/"
        self.root = KnownDirectory.__new__(KnownDirectory)
        self.root.wanted = True
        self.watch_above()
        self.descend(self.root)
        if self.left:
            return 0
        if self.root.wd < 0:
            raise system_error(ENOENT)
        self.started = True
        self.busy = False
        return self.resume()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def leave(self) -> cython.int:
        """Give up everything but the changes that are to be told."""
        self.left = True
        if self.timer is not None:
            Timer.stop(self.timer)
            self.timer = None
        self.close()
        watched: dict = self.watched
        self.watched = {}
        self.events = []
        self.arrivals = {}
        self.touched = []
        self.suspect = []
        self.doubtful = {}
        # No circles are left to the garbage collector.
        known: KnownDirectory
        for known in watched.values():
            known.wd = -1
            known.parent = None
            known.entries = {}
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def renew(self) -> cython.int:
        """Have a new descriptor, in a forked child say, and compare all with what is known."""
        self.close()
        known: KnownDirectory
        for known in self.watched.values():
            known.wd = -1
        self.watched = {}
        self.above = -1
        self.events = []
        self.arrivals = {}
        self.lost = True
        self.paused = False
        error: cython.int = self.open()
        if error:
            raise no_queue(error, self.as_given(b""))
        self.watch_above()
        return push(self.loop.queue, self.io, EV_READ)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def pause(self) -> cython.int:
        """Read nothing until changes have been taken, if there are too many."""
        if self.io is not None and len(self.changes) >= CHANGES_AT_MOST:
            self.paused = True
            Io.stop(self.io)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def resume(self) -> cython.int:
        self.paused = False
        if self.io is not None:
            Io.start(self.io)
            self.loop.feed(self.io, EV_READ)
        return 0

    @cython.cfunc
    def take(self) -> tuple:
        """The changes that were found, which are forgotten."""
        changes: list = self.changes
        self.changes = []
        self.told = {}
        if self.paused:
            self.resume()
        return tuple(changes)

    @cython.cfunc
    def unwatched(self) -> tuple:
        """The directories that are wanted, and that the kernel does not watch."""
        found: list = []
        todo: list = [self.root] if self.started and not self.left else []
        while todo:
            directory: KnownDirectory = todo.pop()
            for known in list(directory.entries.values()):
                if isinstance(known, KnownDirectory) and cython.cast(KnownDirectory, known).wanted:
                    todo.append(known)
            if directory.shut and self.holds(directory):
                found.append(self.as_given(self.place_of(directory)))
        return tuple(found)

    # What is told

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report(
        self, kind: ChangeKind, place: bytes, directory: cython.bint, before: bytes | None
    ) -> cython.int:
        """Note a change to be told. One that can recur is told once until it is taken."""
        if kind == MODIFIED or kind == CLOSED or kind == ATTRIBUTES:
            kinds: cython.int = self.told.get(place, 0)
            if kinds & kind:
                return 0
            self.told[place] = kinds | kind
        elif kind == MOVED and directory:
            self.told = {}  # other files have these paths now
        else:
            self.told.pop(place, None)
        old_path: object = None if before is None else self.as_given(before)
        change: tuple = (NAMES[kind], self.as_given(place), old_path, directory)
        self.changes.append(new_tuple(self.change_type, change))
        return 0

    # What the kernel watches

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wants(self, place: bytes) -> cython.bint:
        """Whether a directory is to be descended into."""
        if self.filter is None:
            return True
        try:
            return bool(self.filter(self.as_given(place)))
        except BaseException as error:
            if not self.started:
                raise
            set_error(error)
            callback_failed(self.loop, self.watcher, self.filter)
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch(self, directory: KnownDirectory) -> cython.bint:
        """Have the kernel tell of what happens in a directory; returns whether it does."""
        location: bytes = self.location_of(directory)
        wd: cython.int = self.add(location, MASK)
        if wd < 0:
            return self.unwatchable(directory, -wd)
        other: KnownDirectory = self.watched.get(wd)
        if other is not directory:
            if other is not None:
                # It has moved, which was not told yet, or can be seen in two places.
                self.doubtful[directory] = True
                return False
            self.unwatch(directory)
            if directory.look(location):
                # Another one is there, which was not told yet.
                if self.fd >= 0:
                    inotify_rm_watch(self.fd, wd)
                if directory.parent is not None:
                    self.doubtful[directory.parent] = True
                return False
            if self.left:
                return False
            directory.wd = wd
            self.watched[wd] = directory
        directory.shut = False
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_above(self) -> cython.int:
        """A directory that somebody has open does not tell of its removal: the one above does."""
        above: bytes = os.path.dirname(self.location)
        if above != self.location:
            self.above = self.add(above, IN_DELETE | IN_ONLYDIR)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def unwatch(self, directory: KnownDirectory) -> cython.int:
        wd: cython.int = directory.wd
        directory.wd = -1
        if wd >= 0 and self.watched.get(wd) is directory:
            del self.watched[wd]
            if self.fd >= 0 and not self.inherited():
                inotify_rm_watch(self.fd, wd)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def unwatchable(self, directory: KnownDirectory, error: cython.int) -> cython.bint:
        """The kernel can't watch a directory; raises OSError if the Tree can't go on for it."""
        self.unwatch(directory)
        if self.left or error == EBADF:
            return False
        gone: cython.bint = error == ENOENT or error == ENOTDIR or error == ELOOP
        if error == ENOMEM:
            raise MemoryError("no memory for a watch of inotify")
        if error == ENOSPC:
            place: bytes = self.place_of(directory)
            self.refusal = too_many("watches", "max_user_watches", error, self.as_given(place))
            raise self.refusal
        if directory is self.root and (not gone or not self.started):
            self.refusal = OSError(error, os.strerror(error), self.as_given(b""))
            raise self.refusal
        directory.shut = not gone
        return False

    # What is known

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def enter(self, directory: KnownDirectory, name: bytes, known: Known) -> cython.bint:
        """Something has appeared; returns whether it is to be descended into."""
        place: bytes = self.prefix_of(directory) + name
        directory.entries[name] = known
        is_directory: cython.bint = isinstance(known, KnownDirectory)
        if self.started:
            self.report(CREATED, place, is_directory, None)
        if not is_directory:
            return False
        new: KnownDirectory = known
        new.parent = directory
        new.name = name
        new.wanted = self.wants(place)
        return new.wanted

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def descend(self, top: KnownDirectory) -> cython.int:
        """Watch a directory and all below it, and tell of what is there."""
        todo: list = [top]
        while todo and not self.left:
            directory: KnownDirectory = todo.pop()
            if not self.holds(directory) or not self.watch(directory):
                continue
            prefix: bytes = self.base + self.prefix_of(directory)
            name: bytes
            for name in self.names_in(directory) or ():
                if self.left or name in directory.entries:
                    continue
                known: Known = look_at(prefix + name)
                if known is not None and self.enter(directory, name, known):
                    todo.append(known)
        return 0

    @cython.cfunc
    def names_in(self, directory: KnownDirectory) -> list:
        """The names in a directory; None if it can't be read."""
        try:
            return os.listdir(self.location_of(directory))
        except OSError as error:
            directory.shut = error.errno == EACCES
            return None

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def vanish(self, directory: KnownDirectory, name: bytes) -> cython.int:
        """Something is there no more, nor is what was in it."""
        known: Known = directory.entries.pop(name)
        return self.drop(known, self.prefix_of(directory) + name, True)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def drop(self, known: Known, place: bytes, aloud: cython.bint) -> cython.int:
        """Forget something that has been taken out, and what is in it; the innermost first."""
        found: list = [(known, place)]
        for each, where in found:
            if isinstance(each, KnownDirectory):
                directory: KnownDirectory = each
                prefix: bytes = where + b"/" if where else b""
                entries: dict = directory.entries
                directory.entries = {}
                directory.parent = None
                self.unwatch(directory)
                for name, inner in entries.items():
                    found.append((inner, prefix + name))
        if aloud:
            for each, where in reversed(found):
                self.report(DELETED, where, isinstance(each, KnownDirectory), None)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def empty(self, directory: KnownDirectory) -> cython.int:
        """A directory is not to be descended into any more."""
        self.unwatch(directory)
        for name in list(directory.entries):
            self.vanish(directory, name)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def move(
        self, source: KnownDirectory, name: bytes, target: KnownDirectory, new_name: bytes
    ) -> cython.int:
        """Something has got another name, in another directory perhaps."""
        known: Known = source.entries[name]
        if self.is_within(target, known) or self.is_within(source, target.entries.get(new_name)):
            # Neither can be: what is known is out of date.
            self.doubtful[source] = True
            self.doubtful[target] = True
            self.vanish(source, name)
            return self.vanish(target, new_name) if new_name in target.entries else 0
        del source.entries[name]
        before: bytes = self.prefix_of(source) + name
        place: bytes = self.prefix_of(target) + new_name
        if new_name in target.entries:
            self.drop(target.entries.pop(new_name), place, False)
            # Perhaps the two were exchanged.
            self.suspect.append((source, name))
            self.suspect.append((target, new_name))
        target.entries[new_name] = known
        is_directory: cython.bint = isinstance(known, KnownDirectory)
        self.report(MOVED, place, is_directory, before)
        self.touch(target, new_name, known)
        if not is_directory:
            return 0
        moved: KnownDirectory = known
        moved.parent = target
        moved.name = new_name
        self.moves += 1
        was_wanted: cython.bint = moved.wanted
        moved.wanted = self.wants(place)
        if was_wanted and not moved.wanted:
            return self.empty(moved)
        if moved.wanted and moved.wd < 0:
            return self.descend(moved)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def end(self) -> cython.int:
        """The root has gone: nothing can be told of any more."""
        if not self.ended:
            self.ended = True
            self.drop(self.root, b"", True)
        return 0

    # What is to be looked at

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def touch(self, directory: KnownDirectory, name: bytes, known: Known) -> cython.int:
        """The attributes are others now: they are to be known before the change is told.

        So whatever changes them after that look is a difference when all is compared, and
        what changed them before is there to be seen by whom is told.
        """
        known.touched = True
        self.touched.append((directory, name))
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look_again(self) -> cython.int:
        touched: list = self.touched
        self.touched = []
        for directory, name in touched:
            known: Known = cython.cast(KnownDirectory, directory).entries.get(name)
            if known is not None and known.touched and self.holds(directory):
                known.touched = False
                if known.look(self.base + self.prefix_of(directory) + name):
                    self.suspect.append((directory, name))
        return 0
