from everloop.engine.calling cimport CallingLoop
from everloop.watcher cimport Watcher
from everloop.watchers.inodes.survey cimport Survey

cdef class Tree(Watcher):
    cdef object _path    # as given: str or bytes
    cdef object _filter
    cdef bytes location  # path, absolute
    cdef Survey survey   # the latest; None before the first start

cdef bint is_of_tree(Watcher io) noexcept
cdef int renew_tree(Watcher io) except -1
cdef int renew_trees(CallingLoop loop) except -1
