"""The ready queue: handles whose calls are to be made as soon as possible.

Invariants:
- ``first`` and those that follow by ``next`` are ``count`` handles, of which
  ``last`` is the last; both are None if there are none.
- A handle is in the queue at most once: each is made for one call.
- The garbage collector does not see handles that join the queue of a running loop,
  and so takes all that they refer to as alive. It does again when the loop ends with
  them in the queue, or when their call is over and somebody else keeps them.
- From MANY calls on it does not see the context of each either: there would be thousands
  for it to look at, again and again. A context is hidden only while its handle is in the
  queue, which keeps it alive: one that ends has to be in the collector's lists.
- Links are taken apart by clear() alone, not by the garbage collector: it would
  recurse from handle to handle.
"""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.calls.handle import Handle
from cython.cimports.everloop.aio.calls.ready_inline import show, take
from cython.cimports.everloop.sys.python import PyContext_CheckExact, PyObject_GC_UnTrack
from cython.cimports.everloop.sys.threads import owned_alone


@cython.no_gc_clear
@cython.final
@cython.cclass
class ReadyQueue:
    def __dealloc__(self):
        self.clear()

    @cython.cfunc
    def clear(self) -> cython.void:
        """Drop all, link by link: a long chain must not end in one deep recursion."""
        handle: Handle
        while self.count:
            # Out of the queue before it ends, which may run anything.
            handle = take(self)
            show(handle)

    @cython.cfunc
    def rest(self) -> cython.void:
        """The loop runs no longer: let the garbage collector see what is left."""
        handle: Handle = self.first
        while handle is not None:
            show(handle)
            handle = handle.next

    def __iter__(self):
        handle: Handle = self.first
        while handle is not None:
            yield handle
            handle = handle.next

    def __len__(self):
        return self.count


@cython.cfunc
@cython.exceptval(check=False)
def hide_context(handle: Handle) -> cython.void:
    """Hide a context that is the handle's alone from the garbage collector."""
    context: cython.pointer[PyObject] = cython.cast(cython.pointer[PyObject], handle.context)
    if PyContext_CheckExact(handle.context) and owned_alone(context):
        PyObject_GC_UnTrack(context)
        handle.context_hidden = True
