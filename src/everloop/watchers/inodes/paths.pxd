from everloop.watchers.inodes.inotify cimport Trail

cdef int follow(Trail trail) except -1
