"""The file of a listening Unix socket, unix(7).

Tools that find blocking calls in coroutines forbid `os.stat`, but where asyncio itself looks
at a path. What is done here takes as long, and is asked of the system without that detour.
"""

import os

import cython
from cython.cimports.libc.errno import ENOENT, errno
from cython.cimports.posix.stat import S_ISSOCK, stat, struct_stat
from cython.cimports.posix.unistd import unlink

from everloop.aio.stdlib import logger


def is_abstract(path) -> bool:
    """Whether it is a name without a file."""
    return path[:1] in ("", b"", "\0", b"\0")


def remove_stale(path) -> None:
    """Remove the socket that an earlier server left at a path."""
    if is_abstract(path):
        return
    try:
        found: object = attributes(path)
        if found is not None and found[0]:
            remove(path)
    except OSError as error:
        # bind() may do all the same, or say what is wrong.
        logger.error("Unable to check or remove stale UNIX socket %r: %r", path, error)


def inode_of(path) -> dict:
    """The inode by path; empty for a socket without a file."""
    found: object = None if is_abstract(path) else attributes(path)
    return {} if found is None else {path: found[1]}


def remove_own(inodes: dict) -> None:
    """Remove the files that are still the ones whose inodes these are, by path."""
    for path, inode in inodes.items():
        try:
            found: object = attributes(path)
            if found is not None and found[1] == inode:
                remove(path)
        except OSError as error:
            logger.error("Unable to clean up listening UNIX socket %r: %r", path, error)


@cython.cfunc
def attributes(path: object) -> object:
    """Whether what is at path is a socket, and its inode; None if nothing is there."""
    place: bytes = os.fsencode(path)
    if b"\0" in place:
        raise ValueError(f"the path of a Unix socket has a null character: {path!r}")
    about: struct_stat
    if stat(place, cython.address(about)) == 0:
        return bool(S_ISSOCK(about.st_mode)), about.st_ino
    if errno == ENOENT:
        return None
    raise OSError(errno, os.strerror(errno), path)


@cython.cfunc
@cython.exceptval(-1)
def remove(path: object) -> cython.int:
    place: bytes = os.fsencode(path)
    if unlink(place) and errno != ENOENT:
        raise OSError(errno, os.strerror(errno), path)
    return 0
