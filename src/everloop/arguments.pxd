cdef int whole(str name, object value) except? -1
