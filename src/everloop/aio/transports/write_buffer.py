"""WriteBuffer: what a transport has been given and the kernel has not taken yet.

Invariants:
- What is to go is ``first`` and ``rest[head:]``, bytes objects that are not empty;
  ``rest[:head]`` are None. ``sent`` bytes of the first are gone, fewer than it has.
- ``size`` is the number of bytes to go; ``first`` is None if it is 0, and then
  there is no rest.
"""

import cython
from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_GET_SIZE
from cython.cimports.everloop.sys.socket import iovec


@cython.final
@cython.cclass
class WriteBuffer:
    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def add(self, chunk: bytes) -> cython.int:
        if self.first is None:
            self.first = chunk
        else:
            if self.rest is None:
                self.rest = []
            self.rest.append(chunk)
        self.size += PyBytes_GET_SIZE(chunk)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def vectors(self, vector: cython.pointer[iovec]) -> cython.int:
        """Fill vector, of VECTORS entries, with what is to go first; their number."""
        if self.first is None:
            return 0
        vector[0].iov_base = PyBytes_AS_STRING(self.first) + self.sent
        vector[0].iov_len = PyBytes_GET_SIZE(self.first) - self.sent
        count: cython.int = 1
        if self.rest is None:
            return 1
        place: cython.Py_ssize_t = self.head
        while place < len(self.rest) and count < VECTORS:
            chunk: bytes = self.rest[place]
            vector[count].iov_base = PyBytes_AS_STRING(chunk)
            vector[count].iov_len = PyBytes_GET_SIZE(chunk)
            place += 1
            count += 1
        return count

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def advance(self, count: cython.Py_ssize_t) -> cython.int:
        """So many bytes are gone."""
        self.size -= count
        if self.size == 0:
            return self.clear()
        count += self.sent
        while count >= PyBytes_GET_SIZE(self.first):
            count -= PyBytes_GET_SIZE(self.first)
            self.step()
        self.sent = count
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def step(self) -> cython.int:
        """The first chunk is gone, and there is another."""
        self.first = self.rest[self.head]
        self.rest[self.head] = None
        self.head += 1
        if self.head > 1024 and self.head * 2 > len(self.rest):
            del self.rest[: self.head]
            self.head = 0
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def clear(self) -> cython.int:
        self.first = None
        self.sent = 0
        self.size = 0
        if self.rest is not None:
            self.rest.clear()
            self.head = 0
        return 0
