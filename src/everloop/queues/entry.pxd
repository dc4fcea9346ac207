from everloop.sys cimport traceless

cdef enum EntryFlag:
    ACTIVE = 1  # started and not stopped: the loop watches for its event
    FED = 2     # fed while inactive: dies with its last reference outside the loop
    STRAY = 4   # an Io among the descriptor table's strays
    INTERNAL = 8  # the loop's own: holds no reference, is not shown, its failures are fatal
    HIDDEN = 16  # part of something of asyncio's: not shown
    UNWATCHED = 32  # an internal Io that the kernel would not watch: tried again soon
    OWN = INTERNAL | HIDDEN  # what stays when the watcher stops

cdef class Entry:
    cdef unsigned int slot       # place in its lane of the pending queue + 1, or 0
    cdef unsigned int seat       # place in the loop's roster + 1, or 0
    cdef unsigned int position   # place in the structure that its kind is kept in
    cdef unsigned char rank      # priority - EV_MINPRI: the lane for its events
    cdef unsigned char flags     # EntryFlag; stored atomically where it may be an Async's
    cdef unsigned char extra     # bits of its kind's own

cdef int remove_from(list watchers, Entry watcher) except -1
