from everloop.factories cimport FactoryLoop

cdef class Loop(FactoryLoop):
    pass
