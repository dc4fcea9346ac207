"""Known: what a Tree knows of each file below its directory.

From it a Tree tells what changed while the kernel could not say: at its start, where the two
overlap, and after the kernel's queue had no more room.
"""

import cython
from cython.cimports.everloop.sys.status import S_ISDIR, lstat, status

S_IFMT = cython.declare(cython.uint, 0o170000)


@cython.cclass
class Known:
    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def look(self, location: bytes) -> cython.bint:
        """Note the attributes that it has now; returns whether another file is there."""
        buffer: status
        place: cython.p_char = location
        with cython.nogil:
            failed: cython.int = lstat(place, cython.address(buffer))
        if failed:
            return False
        if S_ISDIR(buffer.st_mode) != isinstance(self, KnownDirectory) or (
            self.inode and (self.inode != buffer.st_ino or self.device != buffer.st_dev)
        ):
            return True
        note(self, cython.address(buffer))
        return False


@cython.final
@cython.cclass
class KnownDirectory(Known):
    def __cinit__(self):
        self.entries = {}
        self.wd = -1


@cython.cfunc
def look_at(location: bytes) -> Known:
    """What is there now, or None."""
    buffer: status
    place: cython.p_char = location
    with cython.nogil:
        failed: cython.int = lstat(place, cython.address(buffer))
    if failed:
        return None
    kind: object = KnownDirectory if S_ISDIR(buffer.st_mode) else Known
    found: Known = kind.__new__(kind)
    note(found, cython.address(buffer))
    return found


@cython.cfunc
@cython.exceptval(check=False)
def note(known: Known, buffer: cython.pointer[status]) -> cython.void:
    known.device = buffer.st_dev
    known.inode = buffer.st_ino
    known.size = buffer.st_size
    known.modified = buffer.st_mtim.tv_sec * 1_000_000_000 + buffer.st_mtim.tv_nsec
    known.changed = buffer.st_ctim.tv_sec * 1_000_000_000 + buffer.st_ctim.tv_nsec
    known.mode = buffer.st_mode
    known.owner = buffer.st_uid
    known.group = buffer.st_gid


@cython.cfunc
@cython.exceptval(check=False)
def difference(known: Known, now: Known) -> Difference:
    """How what is there now differs from what was known; the times of directories don't count."""
    if (
        known.inode != now.inode
        or known.device != now.device
        or known.mode & S_IFMT != now.mode & S_IFMT
    ):
        return OTHER_INODE
    if isinstance(known, KnownDirectory):
        if known.mode != now.mode or known.owner != now.owner or known.group != now.group:
            return OTHER_ATTRIBUTES
        return SAME
    if known.size != now.size or known.modified != now.modified:
        return OTHER_CONTENTS
    return SAME if known.changed == now.changed else OTHER_ATTRIBUTES
