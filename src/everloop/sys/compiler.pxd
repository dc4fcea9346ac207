cdef extern from * nogil:
    void __builtin_prefetch(const void* address)
    void __sync_synchronize()
    int __sync_fetch_and_add(int* place, int value)
