cdef extern from * nogil:
    void __builtin_prefetch(const void* address)
    unsigned int __builtin_ctz(unsigned int bits)
    int __builtin_clzll(unsigned long long bits)
    void __sync_synchronize()
    int __sync_fetch_and_add(int* place, int value)
    bint likely(bint condition)  # Cython's
    bint unlikely(bint condition)
