from libc.stdint cimport uint32_t
from cpython.object cimport PyObject
from everloop.backends.backend cimport Backend
from everloop.queues.pending cimport PendingQueue
from everloop.queues.entry cimport Entry

cdef enum DescriptorFlag:
    CHANGED = 1   # listed in changes
    DOUBTED = 2   # a watcher was started: may be another file than the kernel knows

cdef struct Descriptor:
    PyObject* head             # Io, borrowed from the roster: the latest started one
    unsigned char wanted       # events of all its watchers, as handed to the backend
    unsigned char registered   # the backend's own: what the kernel watches for
    unsigned char flags        # DescriptorFlag
    uint32_t token             # the backend's own

cdef class DescriptorTable:
    cdef Descriptor* slots
    cdef int capacity
    cdef int linked            # Io in the chains
    cdef int* changes          # numbers of the descriptors flagged CHANGED
    cdef int change_count
    cdef int change_capacity
    cdef list strays           # Io whose number is too high to be an open file

    cdef int make_room(self, Entry watcher) except -1
    cdef int forget_stray(self, Entry watcher) except -1
    cdef int apart(self, int fd) noexcept
    cdef int apart_from_all(self, int fd) noexcept
    cdef bint is_watched(self, int fd) noexcept
    cdef int take_in_strays(self) except -1
    cdef int feed_strays(self, int fd, int revents, PendingQueue pending) except -1
    cdef int mark_changed(self, int fd, int flags) except -1
    cdef int mark_all_changed(self) except -1
    cdef int watched_events(self, int fd) noexcept
    cdef int tell(self, int fd, Backend backend) noexcept
    cdef void hand_over(self, Backend backend) noexcept
    cdef int verify(self) except -1
