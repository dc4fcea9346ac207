from everloop.watchers.inodes.known cimport Known, KnownDirectory
from everloop.watchers.inodes.queue cimport InotifyQueue

cdef class TreePaths(InotifyQueue):
    cdef bytes given             # the path, as given
    cdef bint text               # ... as str
    cdef bytes given_base        # ... and a slash, if it has none at its end
    cdef bytes location          # absolute, without symbolic links
    cdef bytes base              # ... and a slash
    cdef KnownDirectory root
    cdef unsigned int moves      # of directories: how old their prefixes may be

    cdef bytes prefix_of(self, KnownDirectory directory)
    cdef bytes place_of(self, KnownDirectory directory)
    cdef bytes location_of(self, KnownDirectory directory)
    cdef object as_given(self, bytes place)
    cdef bint holds(self, KnownDirectory directory) noexcept
    cdef bint is_within(self, KnownDirectory directory, Known other) noexcept
