from everloop.loop cimport Loop

cdef int callback_failed(Loop loop, object callback) except -1
