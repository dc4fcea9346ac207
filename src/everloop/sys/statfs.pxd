cdef extern from "sys/vfs.h" nogil:
    struct file_system "statfs":
        long f_type

    int statfs(const char* path, file_system* buffer)
