from libc.stdint cimport uint32_t

cdef extern from "sys/inotify.h" nogil:
    enum:
        IN_CLOEXEC
        IN_NONBLOCK

        # What to tell of.
        IN_ATTRIB
        IN_CLOSE_WRITE
        IN_CREATE
        IN_DELETE
        IN_DELETE_SELF
        IN_MODIFY
        IN_MOVED_FROM
        IN_MOVED_TO
        IN_MOVE_SELF

        # How to watch.
        IN_DONT_FOLLOW
        IN_EXCL_UNLINK
        IN_MASK_ADD
        IN_ONLYDIR

        # Told of unasked.
        IN_IGNORED
        IN_ISDIR
        IN_Q_OVERFLOW

    struct inotify_event:
        int wd
        uint32_t mask
        uint32_t cookie
        uint32_t len
        char name[1]  # len bytes

    int inotify_init1(int flags)
    int inotify_add_watch(int fd, const char* path, uint32_t mask)
    int inotify_rm_watch(int fd, int wd)
