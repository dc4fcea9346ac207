from everloop.clock cimport nanoseconds
from everloop.aio.datagram_batch cimport DatagramBatch
from everloop.aio.collector cimport Collector
from everloop.aio.ready cimport ReadyQueue
from everloop.aio.handle cimport Handle, TimerHandle
from everloop.loop cimport Loop
from everloop.watcher cimport Watcher

cdef enum:
    QUICK = 50000         # nanoseconds for rounds of calls between two looks at the descriptors
    MOST_ROUNDS = 64      # as long as they are that quick
    CHUNK = 8             # rounds at most between two looks at the clock
    SCRATCH = 256 * 1024  # bytes read at once

cdef class Core(Loop):
    cdef ReadyQueue ready
    cdef bint waking             # a call from elsewhere has ended the wait that is on
    cdef bint counted            # ready calls are, as a reference
    cdef Py_ssize_t ready_before # calls ready when the descriptors were last looked at, not made yet
    cdef int rounds              # of ready calls that may be made before the next look at the clock
    cdef int rounds_granted      # since the last look at the descriptors
    cdef int chunk               # rounds granted last
    cdef nanoseconds rounds_began
    cdef dict readers            # descriptor: CallbackIo
    cdef dict writers
    cdef dict listeners          # descriptor: Listener
    cdef dict transports         # descriptor: weak reference to its transport
    cdef Collector unsent        # holds what this callback wrote; others follow in a chain
    cdef bint collecting         # what is written now is sent when the callback ends
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
    cdef int run_first_round(self) except -1
    cdef int run_ready(self) except -1
    cdef int run_round(self, Py_ssize_t count) except -1
    cdef int more_rounds(self) noexcept
    cdef bint is_stopping(self) noexcept
    cdef void count_ready(self) noexcept
    cdef double seconds(self) except? -1
    cdef TimerHandle at(self, double when, object callback, tuple args, object context)
    cdef int flush(self) except -1
    cdef void collect(self, Collector collector)
    cdef DatagramBatch take_batch(self)
    cdef object watch(self, dict table, int fd, int events, object callback, tuple args)
    cdef bint unwatch(self, dict table, int fd) except -1

cdef int descriptor_of(object fd) except -1
