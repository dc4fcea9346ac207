"""The ready queue: handles whose calls are to be made as soon as possible.

Invariants:
- ``first`` and those that follow by ``next`` are ``count`` handles, of which
  ``last`` is the last; both are None if there are none.
- A handle is in the queue at most once: each is made for one call.
"""

import cython
from cython.cimports.everloop.aio.handle import Handle


@cython.final
@cython.cclass
class ReadyQueue:
    @cython.cfunc
    def clear(self) -> cython.void:
        """Drop all, link by link: a long chain must not end in one deep recursion."""
        while self.count:
            handle: Handle = self.first
            self.first = handle.next
            handle.next = None
            self.count -= 1
        self.last = None

    def __iter__(self):
        handle: Handle = self.first
        while handle is not None:
            yield handle
            handle = handle.next

    def __len__(self):
        return self.count
