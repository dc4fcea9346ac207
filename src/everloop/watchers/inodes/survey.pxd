from everloop.watcher cimport Watcher
from everloop.watchers.inodes.known cimport Known, KnownDirectory
from everloop.watchers.inodes.tree_paths cimport TreePaths

cdef enum ChangeKind:
    CREATED = 1
    DELETED = 2
    MOVED = 4
    MODIFIED = 8
    CLOSED = 16
    ATTRIBUTES = 32

cdef class Survey(TreePaths):
    cdef Watcher watcher         # the Tree
    cdef object filter           # of the Tree's

    # What is known
    cdef dict watched            # wd: KnownDirectory
    cdef int above               # wd of the directory that has the root's entry, or -1
    cdef list touched            # (KnownDirectory, name): what has to be looked at
    cdef list suspect            # (KnownDirectory, name): perhaps not what is known
    cdef dict doubtful           # the keys: KnownDirectory that have to be compared
    cdef bint lost               # all have

    # What the kernel told
    cdef list events             # (wd, mask, cookie, name), not applied yet
    cdef dict arrivals           # cookie: the IN_MOVED_TO among them
    cdef Py_ssize_t settled      # so many need not wait for their other end
    cdef Py_ssize_t held         # so many were there when the timer was started
    cdef Watcher timer           # a Timer, or None
    cdef unsigned int late       # reads since what is known has been lost

    # What is to be told
    cdef list changes            # TreeChange
    cdef object change_type      # that class
    cdef dict told               # path from the root: its kinds among changes that can recur

    cdef bint started            # the root was read for the first time
    cdef bint busy               # some thread is at it
    cdef bint paused             # nothing is read until changes have been taken
    cdef bint left               # the Tree was stopped: nothing is to be done any more
    cdef bint ended              # the root has gone
    cdef object refusal          # OSError that the Tree has to be stopped for, or None

    cdef int begin(self) except -1
    cdef int leave(self) except -1
    cdef int renew(self) except -1
    cdef int pause(self) except -1
    cdef int resume(self) except -1
    cdef tuple take(self)

    cdef tuple unwatched(self)

    cdef int report(self, ChangeKind kind, bytes place, bint directory, bytes before) except -1

    cdef bint wants(self, bytes place) except -1
    cdef bint watch(self, KnownDirectory directory) except -1
    cdef int watch_above(self) except -1
    cdef int unwatch(self, KnownDirectory directory) except -1
    cdef bint unwatchable(self, KnownDirectory directory, int error) except -1
    cdef bint enter(self, KnownDirectory directory, bytes name, Known known) except -1
    cdef int descend(self, KnownDirectory top) except -1
    cdef list names_in(self, KnownDirectory directory)
    cdef int vanish(self, KnownDirectory directory, bytes name) except -1
    cdef int drop(self, Known known, bytes place, bint aloud) except -1
    cdef int empty(self, KnownDirectory directory) except -1
    cdef int move(self, KnownDirectory source, bytes name, KnownDirectory target, bytes new_name) except -1
    cdef int end(self) except -1
    cdef int touch(self, KnownDirectory directory, bytes name, Known known) except -1
    cdef int look_again(self) except -1
