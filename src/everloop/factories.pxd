from everloop.phases.passing cimport PassingLoop

cdef class FactoryLoop(PassingLoop):
    pass
