from everloop.engine.calling cimport CallingLoop
from everloop.queues.entry cimport Entry

cdef class StandIn:
    pass

cdef class Watcher(Entry):
    cdef object __weakref__
    cdef readonly CallingLoop loop  # None until __init__ has succeeded
    cdef object _callback
    cdef object _data

cdef object USUAL_PRIORITY

cdef CallingLoop loop_of(str name, object value)
cdef int check_new(Watcher self, object loop, object callback, object priority) except -1
cdef int check_given(CallingLoop loop, object callback, object priority) except -1
cdef int adopt_new(Watcher self, CallingLoop loop, object callback, object data, object priority) except -1
cdef int adopt(Watcher self, CallingLoop loop, object callback, object data, int rank) except -1
cdef int check_inactive(Watcher self, str action) except -1
cdef int raise_unusable(Watcher self) except -1
cdef int make_able(Watcher self) except -1
cdef int delete_attribute(object self, object name) except -1
cdef object check_callback(object callback, bint coroutines=*)
cdef int check_loop_callback(object callback) except -1
cdef object wanted_callback(object loop, object callback)
