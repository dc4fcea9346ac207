from cpython.object cimport PyObject
from everloop.clock cimport nanoseconds
from everloop.engine.gate cimport Gate
from everloop.engine.waker cimport Waker
from everloop.queues.array cimport WatcherArray
from everloop.queues.descriptors cimport DescriptorTable
from everloop.queues.heap cimport Heap
from everloop.queues.pending cimport PendingQueue
from everloop.queues.roster cimport Roster
from everloop.queues.entry cimport Entry
from everloop.sys.threads cimport Flag

cdef enum LoopState:
    UNMADE = 0  # __init__ has not succeeded
    OPEN = 1
    CLOSED = 2

cdef enum:
    SINCE_BITS = 27  # Roster.since counts these: 2 to the power of that many nanoseconds

cdef class HoldingLoop:
    cdef object __weakref__
    cdef Gate gate               # whoever changes the loop or its watchers is in its section

    # Who owns the watchers, and where they are kept while active or pending.
    cdef Roster roster
    cdef PendingQueue queue
    cdef DescriptorTable descriptors
    cdef Heap timers             # by the monotonic clock
    cdef Heap dates              # by the wall clock: Periodic and Scheduler
    cdef list failed             # Scheduler errors to be dealt with
    cdef WatcherArray prepares
    cdef WatcherArray checks
    cdef WatcherArray forks
    cdef WatcherArray asyncs
    cdef dict signals            # number: list of Signal
    cdef list children           # Child
    cdef object stats            # Inotify, or None before the first Stat
    cdef list embedders          # the Prepare of each active Embed of other loops on this one
    cdef tuple idles             # a WatcherArray for each rank
    cdef unsigned int idle_count

    # Internal watchers.
    cdef object signal_io        # Io of the signalfd, or None
    cdef object reaper           # Signal for SIGCHLD, or None
    cdef dict pidfds             # process id: Io
    cdef object jumps            # Io of the timerfd, or None
    cdef bint jumps_tried
    cdef list guests             # active Embed watchers of this loop on others that need a host
    cdef list unwatched          # Io that the kernel would not watch
    cdef object retry            # Timer that has them tried again, or None

    # How a wait is ended.
    cdef Waker waker
    cdef PyObject* waker_kept    # the same, owned: for signal handlers, until the loop is freed
    cdef Flag wakeup_requested   # asyncs are to be looked at
    cdef Flag waiting    # in a wait without the GIL: others must wake it
    cdef Flag alert      # waiting, or embedded: signals and sends must wake it
    cdef int hosts               # others that wait on behalf of the loop, and run its passes
    cdef bint hosted             # one of them has asked for fileno()
    cdef bint needs_host         # embedded, it wants to be run for more than its descriptors
    cdef Flag signals_pending
    cdef bint takes_signals_by_fd

    cdef nanoseconds lately      # coarse monotonic time of the last wait, or so
    cdef LoopState state
    cdef bint is_default
    cdef bint debugging
    cdef int flags
    cdef int references          # active watchers, ref() and unref()
    cdef Flag breaking   # EVBREAK_*: how far to leave
    cdef object _callback
    cdef object _data

    cdef int check_open(self) except -1
    cdef int activate(self, Entry watcher) except -1
    cdef int deactivate(self, Entry watcher) except -1
    cdef int feed(self, Entry watcher, int revents) except -1
    cdef int take_back(self, Entry watcher) except? -1
    cdef void wake_if_waiting(self) noexcept
    cdef void request_wakeup(self) noexcept
    cdef void wait_is_over(self) noexcept
    cdef void update_alert(self) noexcept
    cdef int signal_claimed(self, int signum) except -1
    cdef int verify_structures(self) except -1
