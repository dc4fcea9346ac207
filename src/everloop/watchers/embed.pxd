from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher
from everloop.watchers.io cimport Io

cdef class Embed(Watcher):
    cdef CallingLoop _other
    cdef object io       # internal Io on the other loop's kernel descriptor, while active
    cdef object prepare  # internal Prepare, while active: one for each start
    cdef object alarm    # internal Timer, while active, for a loop that needs a host

cdef Embed embed_of(Io io)
cdef int sweep_embedded(Embed self) except -1
cdef int stop_embedders(CallingLoop other) except -1
cdef int set_alarms(CallingLoop loop) except -1
cdef int follow_rebuild(CallingLoop other) except -1
