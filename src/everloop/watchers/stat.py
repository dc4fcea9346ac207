"""Stat: the attributes of a path have changed.

An active Stat has a Trail (see inodes/), by which the kernel
tells what happens to its path, and an internal Timer where that is not enough.
Both only make it look; the attributes decide whether its callback is called.

Who owns what: the loop owns the active Stats, their internal Timers and, in
``Loop.stats``, the Inotify that all of them share. The trails join and leave it.
"""

import os
from math import isnan
from stat import S_ISLNK, S_ISREG

import cython
from cython.cimports.everloop.arguments import path_of
from cython.cimports.everloop.constants import EV_MINPRI, EV_READ, EV_STAT
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL
from cython.cimports.everloop.queues.pending import reserve
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    adopt_new,
    check_inactive,
    check_new,
    make_able,
    raise_unusable,
    wanted_callback,
)
from cython.cimports.everloop.watchers.inodes.inotify import Inotify, Trail
from cython.cimports.everloop.watchers.inodes.paths import follow
from cython.cimports.everloop.watchers.timer import Timer, new_timer

POLLED_EVERY = 5.0  # seconds, with interval 0
POLLED_AT_MOST_EVERY = 0.1

# What stands for the attributes of a path that does not exist.
NOTHING = os.stat_result([0] * 10 + [0.0] * 3 + [0] * (os.stat_result.n_fields - 13))


@cython.cclass
class Stat(Watcher):
    """Stat(path, interval, loop, callback=None, data=None, priority=0)\n--\n
    Calls back when the attributes of a path have changed.

    The path need not exist: that it appears, vanishes or becomes another file
    are changes, too. A change is one of device, inode, mode, number of links,
    owner, group, size, or of the times of modification and of status change, to
    the nanosecond. Reading a file changes its time of access only, which does
    not count. Several changes in quick succession may make one call.

    Symbolic links are followed: `current` has the attributes of what the path
    leads to, or those of the link if it leads nowhere. A change of the link
    itself, or of where a link on the way leads, is a change as well.

    On local file systems the kernel tells of changes at once (inotify). Elsewhere
    (network file systems, FUSE, /proc and the like), where the kernel can't (a
    directory that this user may not read, inotify's limits reached) or shall not
    (EVFLAG_NOINOTIFY), the path is looked at every interval. What a process writes
    through a shared mapping is noticed once it gives the mapping up, and a file
    system that is mounted over the path only with the next change, unless polled.

    path: str, bytes or os.PathLike. A relative one means what it meant when given.
    interval: seconds between looks where they are needed, 0.1 at least; 0: every 5.

    Raises TypeError for what is not a path, ValueError for an empty path, one with
    a null character in it, or an interval that is negative or NaN.
    """

    def __cinit__(self):
        self._current = NOTHING
        self._previous = NOTHING

    def __init__(
        self,
        path,
        interval: cython.double,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        given, location = path_of(path)
        check_interval(interval)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        assign(self, given, location, interval)
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Watch for changes from now on; does nothing if active. Thread-safe.

        `current` and `previous` become what the attributes are now.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        refresh(self)
        trail: Trail = new_trail(self)
        # Another thread may have started it, or closed the loop, meanwhile.
        if self.flags & ACTIVE:
            return
        self.loop.check_open()
        self._previous = self._current
        self.loop.activate(self)
        self.trail = trail
        try:
            set_out(trail)
        except BaseException:
            if self.trail is trail:
                Stat.stop(self)
            raise

    @cython.always_allow_keywords(False)
    def stop(self):
        """Call back no longer and take back a pending event. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            # Others may run while the trail is left: all that they find is stopped by then.
            trail: Trail = self.trail
            self.trail = None
            self.loop.deactivate(self)
            give_up(trail)
        elif self.slot:
            self.loop.take_back(self)

    def set(self, path, interval: cython.double) -> None:
        """Watch another path, or at another interval; as in the constructor.

        Raises Error while the watcher is active.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        given, location = path_of(path)
        check_interval(interval)
        check_inactive(self, "set() can't be called")
        assign(self, given, location, interval)

    def stat(self) -> None:
        """Look at the attributes now and update `current`, without calling back.

        If they have changed, `previous` becomes what `current` was. A change that
        was seen here is not reported any more.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.loop is None:
            raise_unusable(self)
        refresh(self)

    @property
    def path(self):
        """The path as given, str or bytes. Read only."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._path

    @property
    def current(self):
        """The attributes when they were last looked at. Read only."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._current

    @property
    def previous(self):
        """The attributes from before the latest change. Read only."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._previous

    def _describe(self) -> str:
        interval = f" interval={self.interval:g}s" if self.interval else ""
        return f"path={self._path!r}{interval}"


# Making one


@cython.cfunc
def new_stat(
    loop: CallingLoop,
    path: object,
    interval: cython.double,
    callback: object,
    data: object,
    priority: object,
) -> Stat:
    given, location = path_of(path)
    check_interval(interval)
    self: Stat = Stat.__new__(Stat)
    adopt_new(self, loop, callback, data, priority)
    assign(self, given, location, interval)
    return self


@cython.cfunc
@cython.exceptval(-1, check=False)
def assign(self: Stat, path: object, location: bytes, interval: cython.double) -> cython.int:
    self._path = path
    self.location = location
    self.interval = interval
    self.seen = None
    self._current = NOTHING
    self._previous = NOTHING
    self.looks += 1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_interval(interval: cython.double) -> cython.int:
    if isnan(interval) or interval < 0.0:
        raise ValueError(f"interval must be 0 or a positive number of seconds, not {interval!r}")
    return 0


# Looking


@cython.cfunc
@cython.exceptval(-1)
def refresh(self: Stat) -> cython.bint:
    """Look at the attributes; returns whether they have changed since the last look.

    Another thread may have looked meanwhile: then nobody can tell which result is the
    later one, and this thread looks again. Of those that look at once one is always done,
    so that they can't keep each other at it.
    """
    while True:
        look: cython.uint = self.looks
        current, link = attributes_of(self.location)
        if look == self.looks:
            break
    return note(self, current, link)


@cython.cfunc
@cython.exceptval(-1)
def note(self: Stat, current: object, link: object) -> cython.bint:
    """Note what the latest look has found; returns whether it is something else than before."""
    self.looks += 1
    seen: tuple = (compared(current), compared(link))
    changed: cython.bint = seen != self.seen
    if changed:
        self._previous = self._current
    self.seen = seen
    self._current = current
    return changed


@cython.cfunc
def attributes_of(location: bytes) -> tuple:
    """What the path leads to and, if that is another thing, the link there (or None)."""
    try:
        own = os.lstat(location)
    except OSError:
        return NOTHING, None
    if S_ISLNK(own.st_mode):
        try:
            return existing(os.stat(location)), own
        except OSError:
            pass  # it leads nowhere
    return existing(own), None


@cython.cfunc
def existing(attributes: object) -> object:
    """The attributes, with st_nlink at least 1: a file that was deleted is still
    there in /proc/*/fd, and some file systems don't count links.
    """
    if attributes.st_nlink:
        return attributes
    plain, others = attributes.__reduce__()[1]
    return os.stat_result((*plain[:3], 1, *plain[4:]), others)


@cython.cfunc
def compared(attributes: object) -> tuple:
    if attributes is None:
        return None
    # As a sequence it has its mode, inode, device, links, owner, group and size first.
    return (
        attributes[:7],
        attributes.st_rdev,
        attributes.st_mtime_ns,
        attributes.st_ctime_ns,
    )


# Watching


@cython.cfunc
def new_trail(self: Stat) -> Trail:
    """Not set out yet."""
    trail: Trail = Trail()
    trail.watcher = self
    trail.location = self.location
    return trail


@cython.cfunc
@cython.exceptval(-1, check=False)
def set_out(trail: Trail) -> cython.int:
    """Have a trail, which its Stat has already, tell what happens to the path from now on."""
    loop: CallingLoop = trail.watcher.loop
    if loop.stats is None:
        made: Inotify = Inotify(loop, on_inotify)
        if loop.stats is None:
            loop.stats = made
    inotify: Inotify = loop.stats
    if trail.left:
        return 0
    inotify.join(trail)
    if inotify.fd >= 0 and inotify.inherited():
        rebuild_stats(loop)
    else:
        review(trail, True)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def give_up(trail: Trail) -> cython.int:
    """Leave the trail, which its Stat has no longer; None: it had not set out."""
    if trail is None:
        return 0
    trail.left = True
    if trail.inotify is not None:
        trail.inotify.leave(trail)
    return poll_as_needed(trail)


@cython.cfunc
@cython.exceptval(-1, check=False)
def review(trail: Trail, anew: cython.bint) -> cython.int:
    """Follow the trail if it is to be followed anew; queue the Stat if there is a change."""
    stat: Stat = trail.watcher
    looks: cython.uint = stat.looks
    trail.found = None
    if anew:
        trail.regular = S_ISREG(stat._current.st_mode)
        follow(trail)
        poll_as_needed(trail)
    # A change that was seen is not seen again: there must be room for its event.
    stat.loop.roster.reserve()
    reserve(stat.loop.queue, stat.rank, 1)
    if trail.left:
        return 0
    found: object = trail.found
    trail.found = None
    # Nobody has looked since what was found on the way.
    known: cython.bint = found is not None and looks == stat.looks
    changed: cython.bint = note(stat, existing(found), None) if known else refresh(stat)
    if changed and not trail.left:
        stat.loop.feed(stat, EV_STAT)
        return 1
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def poll_as_needed(trail: Trail) -> cython.int:
    """Have a timer while the trail does not tell everything, and only then."""
    stat: Stat = trail.watcher
    needed: cython.bint = not trail.left and not trail.complete
    if not needed and trail.timer is not None:
        Timer.stop(trail.timer)
        trail.timer = None
    elif needed and trail.timer is None:
        every: cython.double = stat.interval or POLLED_EVERY
        every = max(every, POLLED_AT_MOST_EVERY)
        rank: cython.int = stat.rank
        timer: Timer = new_timer(stat.loop, every, every, on_poll, trail, rank + EV_MINPRI)
        timer.flags |= INTERNAL
        if trail.timer is None and not trail.left:
            trail.timer = timer
            Timer.start(timer)
    return 0


def on_poll(timer: Timer, revents):
    """Called by the internal Timer of a Stat. A change may have led the path elsewhere."""
    trail: Trail = timer.data
    if review(trail, False):
        review(trail, True)


def on_inotify(io: Watcher, revents):
    """Called by the internal Io of a loop's Inotify."""
    inotify: Inotify = io.data
    if inotify.inherited():
        rebuild_stats(io.loop)
        return
    loop: CallingLoop = io.loop
    # Until all is done, for which there may be no memory, there is more to do.
    push(loop.queue, io, EV_READ)
    touched: dict = inotify.read()
    # The pending queue gives back the last one first.
    for trail in reversed(touched):
        review(trail, touched[trail])
    inotify.missed = False
    loop.queue.take_back(io)


@cython.cfunc
@cython.exceptval(-1, check=False)
def rebuild_stats(loop: CallingLoop) -> cython.int:
    """In a forked child, or after reset(): have a descriptor of our own, and see what was missed.

    The old one is given up first, as what it watches belongs to the parent.
    """
    if loop.stats is None:
        return 0
    old: Inotify = loop.stats
    trails: list = list(old.trails)
    loop.stats = None
    old.close()
    for trail in trails:
        stat: Stat = cython.cast(Trail, trail).watcher
        if stat.trail is trail:
            stat.trail = new_trail(stat)
            give_up(trail)
            set_out(stat.trail)
    return 0
