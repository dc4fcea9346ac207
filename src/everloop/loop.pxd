from cpython.object cimport PyObject
from everloop.backends.backend cimport Backend
from everloop.clock cimport Clock, nanoseconds
from everloop.queues.array cimport WatcherArray
from everloop.queues.descriptors cimport DescriptorTable
from everloop.queues.heap cimport Heap
from everloop.queues.pending cimport PendingQueue
from everloop.queues.roster cimport Roster
from everloop.sys cimport traceless
from everloop.waker cimport Waker
from everloop.watcher cimport Watcher

cdef enum LoopState:
    UNMADE = 0  # __init__ has not succeeded
    OPEN = 1
    CLOSED = 2

cdef class Loop:
    cdef object __weakref__

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
    cdef list embedders          # active Embed watchers of other loops on this one
    cdef tuple idles             # a WatcherArray for each rank
    cdef unsigned int idle_count

    # The kernel's side.
    cdef Backend kernel
    cdef Waker waker
    cdef Watcher wakeup          # pending when asyncs and signals are to be looked at
    cdef bint wakeup_requested
    cdef volatile int waiting    # in a wait without the GIL: others must wake it
    cdef volatile int alert      # waiting, or embedded: signals and sends must wake it
    cdef volatile int signals_pending
    cdef bint takes_signals_by_fd
    cdef object signal_io        # internal Io of the signalfd, or None
    cdef object reaper           # internal Signal for SIGCHLD, or None
    cdef dict pidfds             # process id: internal Io
    cdef object jumps            # internal Io of the timerfd, or None
    cdef bint jumps_tried
    cdef list unwatched          # internal Io that the kernel would not watch
    cdef object retry            # internal Timer that has them tried again, or None
    cdef int eager               # > 0: the next poll will probably find events
    cdef int held                # polls since the GIL was last released
    cdef bint audit_owed         # callbacks ran since the descriptors were audited
    cdef nanoseconds audited_at
    cdef nanoseconds audit_cost

    # Time, as of the last wait or update(). Nobody may have needed it since the wait:
    # whoever does calls freshen(self) first.
    cdef Clock _clock
    cdef bint stale
    cdef nanoseconds mono        # monotonic clock
    cdef nanoseconds wall_ahead  # wall clock minus monotonic clock
    cdef nanoseconds wall_read   # monotonic time when wall_ahead was measured
    cdef nanoseconds suspended   # monotonic time of suspend(), or 0
    cdef nanoseconds _io_interval
    cdef nanoseconds _timeout_interval

    # Running.
    cdef LoopState state
    cdef bint is_default
    cdef public bint debug
    cdef int flags
    cdef int references          # active watchers, ref() and unref()
    cdef int breaking            # EVBREAK_*: how far to leave
    cdef int runs                # calls of start() that are under way
    cdef unsigned int passes
    cdef unsigned long thread    # the one that runs the loop, while runs > 0
    cdef unsigned int generation # of the process, see forking.py
    cdef int pid                 # of that process
    cdef bint inherited          # the kernel's side is the parent's: not to be changed
    cdef bint reset_requested
    cdef object _callback
    cdef object _data
    cdef int last_revents        # of the latest callback
    cdef object last_number      # the same as a Python int

    # For watchers.
    cdef int check_open(self) except -1
    cdef int activate(self, Watcher watcher) except -1
    cdef int deactivate(self, Watcher watcher) except -1
    cdef int feed(self, Watcher watcher, int revents) except -1
    cdef int take_back(self, Watcher watcher) except? -1
    cdef int call(self, Watcher watcher, int revents) except -1
    cdef int make_number(self, Watcher watcher, int revents) except -1
    cdef void wake_if_waiting(self) noexcept
    cdef void request_wakeup(self) noexcept
    cdef int read_clocks(self) except -1
    cdef int signal_claimed(self, int signum) except -1

    # The phases of a pass.
    cdef int run(self, int flags) except -1
    cdef int notice_fork(self) except -1
    cdef int queue_prepares(self) except -1
    cdef int hand_over_changes(self) except -1
    cdef nanoseconds blocking_time(self, int flags) except -1
    cdef int wait(self, nanoseconds timeout) except -1
    cdef int refresh_time(self) except -1
    cdef int queue_idles(self) except -1
    cdef int queue_checks(self) except -1
    cdef int run_pending(self) except -1

    # Steps of phases.
    cdef int invoke_pending(self) except -1
    cdef int disown(self, PyObject* watcher) except -1
    cdef int invoke_lanes(self, int lowest) except -1
    cdef int serve(self, Watcher watcher, int revents) except -1
    cdef int serve_wakeup(self) except -1
    cdef int take_notice(self) except -1
    cdef int look(self) except -1
    cdef int poll_eagerly(self) except -1
    cdef bint hurries(self) noexcept
    cdef int wait_audited(self, nanoseconds timeout) except -1
    cdef int block(self, nanoseconds timeout) except -1
    cdef int audit(self) except -1
    cdef int audit_owners(self) except -1
    cdef void wait_is_over(self) noexcept
    cdef int tell_at_once(self, Watcher watcher) except -1
    cdef int raise_refused(self) except -1
    cdef int refuse(self, Watcher watcher, int error) except -1
    cdef int rebuild(self) except -1
    cdef int reopen_waker(self) except -1
    cdef int after_fork(self) except -1
    cdef int become_child(self) except -1
    cdef int pause(self, nanoseconds span) except -1
    cdef int enter(self) except -1
    cdef int nest(self) except -1
    cdef void unnest(self) noexcept
    cdef int open_waker(self) except -1
