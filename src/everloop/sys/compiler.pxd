cdef extern from * nogil:
    void __builtin_prefetch(const void* address)
    void __sync_synchronize()
