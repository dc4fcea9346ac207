"""The Unix socket of a monitor: for its owner alone, and never in another's place."""

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator


def listen_at(sock: socket.socket, path: str) -> os.stat_result:
    """Bind a Unix socket to a path, with mode 0600 from the beginning; returns its status.

    A socket that is there already is replaced if nobody answers there. Raises OSError,
    EADDRINUSE if somebody does, EEXIST if what is there is no socket.
    """
    folder = os.path.dirname(os.path.abspath(path))
    with locked(folder):
        if os.path.lexists(path):
            check_stale(path)
        # Made where nobody else can reach it, and moved when it may be seen.
        hidden = tempfile.mkdtemp(prefix=".everloop-", dir=folder)
        try:
            bind_in(sock, hidden, "socket")
            made = os.path.join(hidden, "socket")
            os.chmod(made, 0o600)
            sock.listen()
            os.rename(made, path)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        return os.lstat(path)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """No other monitor takes a place in the folder meanwhile."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def bind_in(sock: socket.socket, folder: str, name: str) -> None:
    """By way of the folder's descriptor: the name of a socket may have 107 bytes only."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.bind(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


def check_stale(path: str) -> None:
    """Raises OSError unless what is there is a socket that nobody listens at."""
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is no socket", path)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
        except TimeoutError:
            pass
    raise OSError(errno.EADDRINUSE, "there is a socket at which somebody listens", path)


def remove(path: str, made: os.stat_result) -> None:
    """Remove the socket, if it is the one that was made."""
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path)
