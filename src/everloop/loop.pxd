from everloop.phases.passing cimport PassingLoop

cdef class Loop(PassingLoop):
    pass
