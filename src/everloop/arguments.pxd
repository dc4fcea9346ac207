cdef int whole(str name, object value) except? -1
cdef tuple path_of(object path)
