from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum Difference:
    SAME = 0
    OTHER_ATTRIBUTES = 1
    OTHER_CONTENTS = 2
    OTHER_INODE = 3

cdef class Known:
    cdef uint64_t device
    cdef uint64_t inode    # 0: nobody has looked yet
    cdef int64_t size
    cdef int64_t modified  # nanoseconds, as changed
    cdef int64_t changed
    cdef uint32_t mode
    cdef uint32_t owner
    cdef uint32_t group
    cdef bint touched      # to be looked at before the changes are told

    cdef bint look(self, bytes location) except -1

cdef class KnownDirectory(Known):
    cdef KnownDirectory parent  # None of the root, and of what is not in the tree any more
    cdef bytes name
    cdef dict entries           # name: Known
    cdef int wd                 # or -1
    cdef bint wanted            # to be descended into
    cdef bint shut              # can't be watched: may not be read, or is seen elsewhere
    cdef bytes prefix           # path from the root and a slash, as of the move counted in age
    cdef unsigned int age

cdef Known look_at(bytes location)
cdef Difference difference(Known known, Known now) noexcept
