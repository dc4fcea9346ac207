"""OwnedDescriptor: a descriptor that is closed with the object that owns it.

For the loop's internal Io watchers: a loop that is dropped without being closed
gives its descriptors back all the same.
"""

import cython
from cython.cimports.posix.unistd import close


@cython.final
@cython.cclass
class OwnedDescriptor:
    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        self.close()

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        """Close it now; nothing if it is closed."""
        if self.fd >= 0:
            close(self.fd)
        self.fd = -1


@cython.cfunc
def own(fd: cython.int, number: cython.int) -> OwnedDescriptor:
    """The owner of an open descriptor, which is closed if there can be none."""
    try:
        owner: OwnedDescriptor = OwnedDescriptor.__new__(OwnedDescriptor)
    except BaseException:
        close(fd)
        raise
    owner.fd = fd
    owner.number = number
    return owner
