from everloop.engine.holding cimport HoldingLoop
from everloop.watcher cimport Watcher

cdef int callback_failed(HoldingLoop loop, Watcher watcher, object callback) except -1
cdef str describe(Watcher watcher)
cdef void set_error(object error) noexcept
cdef int warn(str message) except -1
cdef int propagate() except -1
cdef object system_error(int number)
