from everloop.phases.passing cimport PassingLoop

cdef class Loop(PassingLoop):
    pass

cdef object default_gate         # whoever makes the default loop is in its section
