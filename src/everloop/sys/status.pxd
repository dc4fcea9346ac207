from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "sys/stat.h" nogil:
    struct moment "timespec":
        int64_t tv_sec
        long tv_nsec

    struct status "stat":
        uint64_t st_dev
        uint64_t st_ino
        uint32_t st_mode
        uint32_t st_uid
        uint32_t st_gid
        int64_t st_size
        moment st_mtim
        moment st_ctim

    int lstat(const char* path, status* buffer)
    bint S_ISDIR(uint32_t mode)
