from everloop.watchers.inodes.survey cimport Survey

cdef int process(Survey survey) except -1
