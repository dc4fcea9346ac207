from everloop.sys.inotify cimport inotify_event
from everloop.watcher cimport Watcher
from everloop.watchers.inodes.queue cimport InotifyQueue

cdef class Inotify(InotifyQueue)

cdef class Trail:
    cdef Watcher watcher    # the Stat
    cdef bytes location     # its path, absolute
    cdef Inotify inotify    # that it goes by
    cdef dict interests     # the keys: (wd, name) as in Inotify.marks
    cdef Watcher timer      # a Timer while the Stat polls, or None
    cdef bint complete      # inotify tells of whatever happens to the path
    cdef bint left          # the Stat was stopped: nothing is to be done any more
    cdef bint busy          # a thread is following the path
    cdef bint outdated      # ... and has to do it again
    cdef tuple way          # how far it is the same for all paths in the same directory, see paths
    cdef bint regular       # a regular file is expected at the end of the path
    cdef object found       # its attributes, looked at after all was marked; None: to be looked at

cdef class Inotify(InotifyQueue):
    cdef dict trails              # the keys: those that joined
    cdef dict marks               # wd -> {name: {trail: True}}
    cdef Trail guide              # the one that followed its path last, or None
    cdef list emptied             # wds that lost their last trail while a thread marked
    cdef unsigned int ignored     # IN_IGNORED events read
    cdef bint missed              # what was read has not been acted upon, not all of it

    cdef int join(self, Trail trail) except -1
    cdef int leave(self, Trail trail) except -1
    cdef int mark(self, Trail trail, bytes path, unsigned int mask, object name) except -1
    cdef int unmark(self, Trail trail, int wd, object name) except -1
    cdef dict read(self)

    cdef int remove(self, int wd) except -1
    cdef int sweep(self) except -1
    cdef int note(self, inotify_event* event, dict touched) except -1
