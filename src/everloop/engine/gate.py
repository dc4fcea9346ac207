"""Gate: what a critical section is of; whoever is in the section may change what it stands for.

Without the GIL a forked child would find some gates shut for ever. CPython hands a mutex that
somebody has waited for over to that thread, which may not go on before all threads are stopped
for a fork; it is not there in the child. But nobody is in a section then, as stopped threads
give theirs up: what the sections protect is as it should be, and the gates can be opened.

Invariant: the links of all gates are a chain from ``first`` on, changed under ``chain_lock``
so that it can be followed forwards at any time.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.sys.process import pthread_atfork
from cython.cimports.everloop.sys.threads import (
    FREE_THREADED,
    acquire,
    open_section,
    unlock,
)


@cython.final
@cython.cclass
class Gate:
    def __cinit__(self):
        global first
        if not FREE_THREADED:
            return
        self.link.gate = cython.cast(cython.pointer[PyObject], self)
        self.link.before = cython.NULL
        acquire(cython.address(chain_lock))
        self.link.next = first
        if first != cython.NULL:
            first.before = cython.address(self.link)
        first = cython.address(self.link)
        unlock(cython.address(chain_lock))

    def __dealloc__(self):
        global first
        if not FREE_THREADED:
            return
        acquire(cython.address(chain_lock))
        if self.link.before != cython.NULL:
            self.link.before.next = self.link.next
        else:
            first = self.link.next
        if self.link.next != cython.NULL:
            self.link.next.before = self.link.before
        unlock(cython.address(chain_lock))


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def open_gates() -> cython.void:
    """In a forked child: only this thread is left, and may be in sections."""
    link: cython.pointer[Link] = first
    while link != cython.NULL:
        open_section(link.gate)
        link = link.next


if FREE_THREADED:
    pthread_atfork(cython.NULL, cython.NULL, open_gates)
