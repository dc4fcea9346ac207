"""DatagramBatch: room for the datagrams that one system call receives.

Shared by the transports of a loop: what is received is copied out at once.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.libc.string import memset


@cython.final
@cython.cclass
class DatagramBatch:
    def __cinit__(self):
        i: cython.int
        # Pages that no datagram reaches take no memory.
        self.room = cython.cast(cython.p_char, PyMem_RawMalloc(BATCH * LONGEST))
        if self.room == cython.NULL:
            raise MemoryError("no memory for datagrams")
        memset(self.messages, 0, cython.sizeof(self.messages))
        for i in range(BATCH):
            self.vectors[i].iov_base = self.room + i * LONGEST
            self.vectors[i].iov_len = LONGEST
            self.messages[i].msg_hdr.msg_iov = cython.address(self.vectors[i])
            self.messages[i].msg_hdr.msg_iovlen = 1
            self.messages[i].msg_hdr.msg_name = cython.address(self.names[i])

    def __dealloc__(self):
        PyMem_RawFree(self.room)
