"""WriteBuffer: what a transport has been given and the kernel has not taken yet.

Invariants:
- ``chunks[head:]`` are the bytes objects to go, none of them empty; those before
  are None. ``sent`` bytes of the first are gone, fewer than it has.
- ``size`` is the number of bytes to go.
"""

import cython
from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_GET_SIZE
from cython.cimports.everloop.sys.socket import iovec


@cython.final
@cython.cclass
class WriteBuffer:
    def __cinit__(self):
        self.chunks = []

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def add(self, chunk: bytes) -> cython.int:
        self.chunks.append(chunk)
        self.size += PyBytes_GET_SIZE(chunk)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def vectors(self, vector: cython.pointer[iovec]) -> cython.int:
        """Fill vector, of VECTORS entries, with what is to go first; their number."""
        count: cython.int = 0
        skip: cython.Py_ssize_t = self.sent
        place: cython.Py_ssize_t = self.head
        while place < len(self.chunks) and count < VECTORS:
            chunk: bytes = self.chunks[place]
            vector[count].iov_base = PyBytes_AS_STRING(chunk) + skip
            vector[count].iov_len = PyBytes_GET_SIZE(chunk) - skip
            skip = 0
            place += 1
            count += 1
        return count

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def advance(self, count: cython.Py_ssize_t) -> cython.int:
        """So many bytes are gone."""
        self.size -= count
        if self.size == 0:
            self.clear()
            return 0
        count += self.sent
        while True:
            chunk: bytes = self.chunks[self.head]
            if count < PyBytes_GET_SIZE(chunk):
                break
            count -= PyBytes_GET_SIZE(chunk)
            self.chunks[self.head] = None
            self.head += 1
        self.sent = count
        if self.head > 1024 and self.head * 2 > len(self.chunks):
            del self.chunks[: self.head]
            self.head = 0
        return 0

    @cython.cfunc
    def clear(self) -> cython.void:
        self.chunks.clear()
        self.head = 0
        self.sent = 0
        self.size = 0
