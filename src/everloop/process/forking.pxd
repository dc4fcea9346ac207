cdef unsigned int generation
