from everloop.aio.calls.scheduling cimport Scheduling

cdef enum:
    NUMBER_OF_NONE = 0x7FFFFFFF  # one that no descriptor has
    SCRATCH = 256 * 1024  # bytes read at once

cdef class Watching(Scheduling):
    cdef dict readers            # descriptor: CallbackIo
    cdef dict writers
    cdef dict transports         # descriptor: weak reference to its transport
    cdef char* scratch           # what is read first goes here: SCRATCH bytes

    cdef object watch(self, dict table, object file, int events, object callback, tuple args, object context)
    cdef int watched_descriptor(self, object file) except -1
    cdef int check_waits(self, dict table, int fd) except -1
    cdef bint unwatch(self, dict table, int fd) except -1

cdef int descriptor_of(object fd) except -1
