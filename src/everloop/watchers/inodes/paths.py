"""Which inodes a Stat has to watch, so that inotify tells it what polling would.

A path is followed as the kernel does it, one component after the other, and
every inode on the way is marked: the directories and symbolic links, since
moving or replacing one makes the path lead elsewhere, and the file at the end.
Of a path that ends early, the last directory is marked for the name that is
missing in it.

Every inode is first marked and then looked at. So whatever changes later than
the look makes an event, and has the path followed again; what changes earlier
is seen. The Stat, too, looks after the path has been followed.

An inode tells by itself when it is moved, replaced or deleted, with one
exception: a directory that some process has open does not tell of its removal.
It is empty by then, so it is the last one on the trail or one that the trail
goes on from with "..": for those the directory above is marked, too.

Paths are mostly watched directory by directory. Up to the last component such a path leads
as that of the trail that was followed before, its guide: what that one has marked is not
marked again by the kernel, as long as nothing is known of a change there.
"""

import os
from itertools import islice
from stat import S_ISDIR, S_ISLNK, S_ISREG

import cython
from cython.cimports.everloop.constants import EVFLAG_NOINOTIFY
from cython.cimports.everloop.sys.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
)
from cython.cimports.everloop.sys.statfs import file_system, statfs
from cython.cimports.everloop.watchers.inodes.inotify import Inotify, Trail
from cython.cimports.libc.errno import ENOENT, ENOTDIR

# Where all changes go through this kernel, which can tell of each: by the f_type
# of statfs(2). Left out on purpose: network file systems and FUSE, whose files
# others change; /proc and /sys, which do not tell; FAT and the like, where a name
# may be spelt otherwise than it was asked for.
LOCAL_FILE_SYSTEMS = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0xF2F52010,  # F2FS
        0x2FC12FC1,  # ZFS
        0xCA451A4E,  # bcachefs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlayfs
        0x3153464A,  # JFS
        0x52654973,  # ReiserFS
        0x3434,  # NILFS2
        0x24051905,  # UBIFS
        0x72B6,  # JFFS2
        0x73717368,  # SquashFS
        0xE0F5E1E2,  # EROFS
        0x958458F6,  # hugetlbfs
    }
)

MAX_LINKS = 40  # that the kernel follows in one path
MAX_STEPS = 10000  # more is a path that changes faster than it can be followed

SELF = IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
FILE = SELF | IN_MODIFY | IN_CLOSE_WRITE
ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO


@cython.cfunc
@cython.exceptval(-1, check=False)
def follow(trail: Trail) -> cython.int:
    """Mark what is on the way of the trail's path now, and nothing else.

    Sets trail.complete: whether that suffices. If another thread is at it, it is
    left to that one to do it again.
    """
    trail.outdated = True
    if trail.busy:
        return 0
    before: dict = trail.interests
    trail.busy = True
    try:
        while trail.outdated and not trail.left:
            before.update(trail.interests)
            trail.interests = {}
            trail.outdated = False
            trail.complete = True
            walk(trail)
    finally:
        trail.busy = False
        for wd, name in before:
            if (wd, name) not in trail.interests:
                trail.inotify.unmark(trail, wd, name)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def walk(trail: Trail) -> cython.int:
    inotify: Inotify = trail.inotify
    if inotify.loop.flags & EVFLAG_NOINOTIFY or inotify.open():
        trail.complete = False
        return 0
    directory: bytes = b"/"  # free of symbolic links, as all that follows it
    todo: list = components(trail.location)
    is_directory: cython.bint = True  # of the latest inode on the trail but links
    device: object = None
    links: cython.int = 0
    steps: cython.int = 0
    way: tuple = way_of_guide(trail)
    if way is not None:
        _, _, directory, device, links, trail.complete = way
        del todo[1:]
    trail.way = None
    trail.found = None
    while todo and not trail.left:
        if trail.way is None and len(todo) == 1:
            trail.way = (
                trail.interests,
                len(trail.interests),
                directory,
                device,
                links,
                trail.complete,
            )
            inotify.guide = trail
        as_file: cython.bint = trail.regular and len(todo) == 1
        steps += 1
        if steps > MAX_STEPS:
            trail.complete = False
            return 0
        name: bytes = todo.pop()
        if name == b"..":
            mark_above(trail, directory)
            directory = os.path.dirname(directory)
            is_directory = True
            continue
        place: bytes = directory + (name if directory == b"/" else b"/" + name)
        error: cython.int = inotify.mark(trail, place, FILE if as_file else SELF, b"")
        if error == ENOENT:
            await_entry(trail, directory, name)
            if not os.path.lexists(place):
                return 0
            todo.append(name)  # it has come meanwhile
            continue
        if error == ENOTDIR:
            return 0  # a file is in the way: it is marked
        if error:
            trail.complete = False
        attributes = lstat(place)
        if attributes is None:
            return 0  # it was marked, and has gone meanwhile; or nobody may look
        is_link: cython.bint = S_ISLNK(attributes.st_mode)
        if attributes.st_dev != device:
            device = attributes.st_dev
            if not is_local(directory if is_link else place):
                trail.complete = False
        if not is_link:
            directory = place
            is_directory = S_ISDIR(attributes.st_mode)
            if as_file and not error and S_ISREG(attributes.st_mode):
                if links == trail.way[4]:
                    trail.found = attributes
                return 0
            continue
        links += 1
        target = read_link(place)
        if target is None or links > MAX_LINKS:
            return 0
        todo.extend(components(target))
        if target.startswith(b"/"):
            directory = b"/"
            is_directory = True
    return mark_end(trail, directory, is_directory)


@cython.cfunc
def way_of_guide(trail: Trail) -> tuple:
    """The way of the guide, on which this trail is now marked, too; None if there is none.

    Not while what was read from the kernel has not been acted upon: it may be about it.
    """
    inotify: Inotify = trail.inotify
    guide: Trail = inotify.guide
    if inotify.missed or guide is None or guide is trail or guide.outdated:
        return None
    way: tuple = guide.way
    if way is None or way[0] is not guide.interests:
        return None
    if not same_directory(trail.location, guide.location):
        return None
    for wd, name in islice(guide.interests, cython.cast(cython.Py_ssize_t, way[1])):
        names: dict = inotify.marks.get(wd)
        if names is None or name not in names:
            return None
        names[name][trail] = True
        trail.interests[wd, name] = True
    return way


@cython.cfunc
@cython.exceptval(-1, check=False)
def same_directory(one: bytes, other: bytes) -> cython.bint:
    """Whether the paths differ in their last component only, which is a plain name."""
    end: cython.Py_ssize_t = one.rfind(b"/") + 1
    name: bytes = one[end:]
    return (
        name not in (b"", b".", b"..")
        and other.rfind(b"/") + 1 == end
        and other[end:] not in (b"", b".", b"..")
        and one[:end] == other[:end]
    )


@cython.cfunc
@cython.exceptval(-1, check=False)
def mark_end(trail: Trail, place: bytes, is_directory: cython.bint) -> cython.int:
    """Mark what the path leads to for every change of its attributes."""
    if not is_directory:
        return must_mark(trail, place, FILE, b"")
    must_mark(trail, place, SELF, b"")
    must_mark(trail, place, ENTRIES, None)
    return mark_above(trail, place)


@cython.cfunc
@cython.exceptval(-1, check=False)
def await_entry(trail: Trail, directory: bytes, name: bytes) -> cython.int:
    """Mark the last directory on the trail for the name that is missing."""
    must_mark(trail, directory, IN_CREATE | IN_MOVED_TO, name)
    return mark_above(trail, directory)


@cython.cfunc
@cython.exceptval(-1, check=False)
def mark_above(trail: Trail, directory: bytes) -> cython.int:
    """Mark the directory above this one for its removal."""
    above, name = os.path.split(directory)
    if name:
        must_mark(trail, above, IN_DELETE, name)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def must_mark(trail: Trail, place: bytes, mask: cython.uint, name: object) -> cython.int:
    """Mark; where that fails inotify does not suffice.

    What has gone meanwhile was marked on the way, and tells of that.
    """
    error: cython.int = trail.inotify.mark(trail, place, mask, name)
    if error and error != ENOENT:
        trail.complete = False
    return 0


@cython.cfunc
def components(path: bytes) -> list:
    """The names in path, the last one first."""
    return [name for name in reversed(path.split(b"/")) if name and name != b"."]


@cython.cfunc
def lstat(path: bytes) -> object:
    try:
        return os.lstat(path)
    except OSError:
        return None


@cython.cfunc
def read_link(path: bytes) -> bytes:
    try:
        return os.readlink(path)
    except OSError:
        return None


@cython.cfunc
@cython.exceptval(-1, check=False)
def is_local(path: bytes) -> cython.bint:
    buffer: file_system
    place: cython.p_char = path
    with cython.nogil:
        error: cython.int = statfs(place, cython.address(buffer))
    return error == 0 and cython.cast(cython.uint, buffer.f_type) in LOCAL_FILE_SYSTEMS
