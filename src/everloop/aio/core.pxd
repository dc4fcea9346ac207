from everloop.clock cimport nanoseconds
from everloop.aio.datagram_batch cimport DatagramBatch
from everloop.aio.ready cimport ReadyQueue
from everloop.aio.handle cimport Handle, TimerHandle
from everloop.loop cimport Loop
from everloop.watcher cimport Watcher

cdef enum:
    SCRATCH = 256 * 1024  # bytes read at once

cdef class Core(Loop):
    cdef ReadyQueue ready
    cdef bint waking             # a call from elsewhere has ended the wait that is on
    cdef bint continuous         # the run that is on is not one of a single pass
    cdef nanoseconds tolerance   # by which timers may be early: of a time() that is in the place of ours
    cdef object driver           # called in place of the kernel's wait, or None
    cdef bint counted            # ready calls are, as a reference
    cdef Py_ssize_t ready_before # calls ready when the last look at the descriptors ended, not made yet
    cdef list due                # TimerHandle whose time has come: called after what descriptors brought
    cdef dict readers            # descriptor: CallbackIo
    cdef dict writers
    cdef dict listeners          # descriptor: Listener
    cdef dict transports         # descriptor: weak reference to its transport
    cdef DatagramBatch batch     # room for datagrams; None before the first, and while in use
    cdef bytes spare             # of spare_size bytes, for reading much; None while in use
    cdef Py_ssize_t spare_size
    cdef char* scratch           # what is read first goes here: SCRATCH bytes
    cdef public bint _debug
    cdef public bint _closed
    cdef public bint _stopping
    cdef public object _thread_id
    cdef public object _task_factory
    cdef public double slow_callback_duration

    cdef int raise_closed(self) except -1
    cdef int check_call(self, object callback, str method) except -1
    cdef Handle soon(self, object callback, tuple args, object context)
    cdef bint only_calls(self) noexcept
    cdef int wait_driven(self, nanoseconds timeout) except -1
    cdef int run_round(self) except -1
    cdef int run_due(self) except -1
    cdef void count_ready(self) noexcept
    cdef double seconds(self) except? -1
    cdef TimerHandle at(self, double when, object callback, tuple args, object context)
    cdef DatagramBatch take_batch(self)
    cdef object watch(self, dict table, object file, int events, object callback, tuple args, object context)
    cdef int watched_descriptor(self, object file) except -1
    cdef int check_waits(self, dict table, int fd) except -1
    cdef bint unwatch(self, dict table, int fd) except -1

cdef int descriptor_of(object fd) except -1
