from everloop.clock cimport nanoseconds
from everloop.aio.calls.ready cimport ReadyQueue
from everloop.aio.calls.handle cimport Handle
from everloop.loop cimport Loop
from everloop.sys.threads cimport Flag, Lock
from everloop.watcher cimport Watcher

cdef class Turn(Loop):
    cdef ReadyQueue ready
    cdef Lock mail_lock          # of mail
    cdef Flag mailed             # there is some
    cdef ReadyQueue mail         # calls that other threads have asked for, without the GIL
    cdef ReadyQueue taken        # the mail before it, which is empty as long as nobody takes it
    cdef Flag waking     # a call from elsewhere has ended the wait that is on
    cdef bint continuous         # the run that is on is not one of a single pass
    cdef object driver           # a selector that waits in place of the kernel, or None
    cdef bint counted            # ready calls are, as a reference
    cdef Py_ssize_t ready_before # calls ready when the last look at the descriptors ended, not made yet
    cdef Py_ssize_t ready_most   # the most there have been then
    cdef list due                # TimerHandle whose time has come: called after what descriptors brought
    cdef bint debug_mode         # asyncio's: slow calls are told of
    cdef bint by_tool            # the tool's, in the place of asyncio.Handle._run()
    cdef unsigned int handle_version  # of asyncio.Handle when it was last looked at
    cdef public bint _stopping
    cdef public double slow_callback_duration

    cdef void queue_call(self, Handle handle) noexcept
    cdef void post(self, Handle handle) noexcept
    cdef void take_mail(self) noexcept
    cdef int look_out(self, nanoseconds timeout) except -1
    cdef bint only_calls(self) noexcept
    cdef int run_round(self) except -1
    cdef int run_due(self) except -1
    cdef int look_for_tools(self) except -1
    cdef void observe_asyncio(self) noexcept
    cdef bint is_for_handle(self, Watcher watcher) noexcept
    cdef void count_ready(self) noexcept
