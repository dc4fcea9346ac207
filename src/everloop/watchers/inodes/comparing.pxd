from everloop.watchers.inodes.known cimport Known, KnownDirectory
from everloop.watchers.inodes.survey cimport Survey

cdef class Comparison:
    cdef Survey survey
    cdef bint deep     # directories that are known are compared, too
    cdef list todo     # KnownDirectory
    cdef list gone     # (KnownDirectory, name, Known)
    cdef dict watched  # (device, inode): KnownDirectory

    cdef int run(self) except -1
    cdef bint is_here(self, KnownDirectory directory) except -1
    cdef KnownDirectory moved_here(self, Known now)
    cdef int take_over(self, KnownDirectory other, KnownDirectory parent, bytes name) except -1
    cdef int entries(self, KnownDirectory directory) except -1
    cdef int entry(self, KnownDirectory directory, bytes name, Known now) except -1
    cdef int new_entry(self, KnownDirectory directory, bytes name, Known now) except -1

cdef int compare_all(Survey survey) except -1
cdef int compare_doubtful(Survey survey) except -1
