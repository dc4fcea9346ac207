cdef int flags_to_use(int flags) except -1
