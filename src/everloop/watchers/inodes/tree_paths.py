"""TreePaths: where the files of a tree are, for the kernel and for the user.

Everything is known by its directory and its name; paths are made of these when they are
needed, so a directory that moves takes along all that is below it. A directory keeps the
path that was made last, until some directory has moved.
"""

import cython
from cython.cimports.everloop.sys.python import PyUnicode_DecodeFSDefaultAndSize
from cython.cimports.everloop.watchers.inodes.known import Known, KnownDirectory
from cython.cimports.everloop.watchers.inodes.queue import InotifyQueue


@cython.cclass
class TreePaths(InotifyQueue):
    @cython.cfunc
    def prefix_of(self, directory: KnownDirectory) -> bytes:
        """The path from the root to what is in a directory, but for the name."""
        if directory.prefix is None or directory.age != self.moves:
            parent: KnownDirectory = directory.parent
            if parent is None:
                directory.prefix = b""
            else:
                directory.prefix = self.prefix_of(parent) + directory.name + b"/"
            directory.age = self.moves
        return directory.prefix

    @cython.cfunc
    def place_of(self, directory: KnownDirectory) -> bytes:
        """The path from the root to a directory; empty for the root itself."""
        prefix: bytes = self.prefix_of(directory)
        return prefix[: len(prefix) - 1] if prefix else prefix

    @cython.cfunc
    def location_of(self, directory: KnownDirectory) -> bytes:
        """Where the kernel finds a directory."""
        if directory is self.root:
            return self.location  # which may be no more than a slash
        return self.base + self.place_of(directory)

    @cython.cfunc
    def as_given(self, place: bytes) -> object:
        """A path from the root as the user knows it."""
        path: bytes = self.given_base + place if place else self.given
        if not self.text:
            return path
        return PyUnicode_DecodeFSDefaultAndSize(path, len(path))

    @cython.cfunc
    @cython.exceptval(check=False)
    def holds(self, directory: KnownDirectory) -> cython.bint:
        """Whether the directory is in the tree, as far as is known."""
        return directory.parent is not None or directory is self.root

    @cython.cfunc
    @cython.exceptval(check=False)
    def is_within(self, directory: KnownDirectory, other: Known | None) -> cython.bint:
        """Whether a directory is the other one, or below it."""
        while directory is not None and directory is not other:
            directory = directory.parent
        return directory is not None
