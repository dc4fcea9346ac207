from everloop.sys.socket cimport iovec, mmsghdr, sockaddr_storage

cdef enum:
    BATCH = 16             # datagrams received or sent in one system call
    LONGEST = 64 * 1024    # bytes of a datagram of IP

cdef class DatagramBatch:
    # Room for receiving a batch, shared by the transports of a loop.
    cdef char* room
    cdef sockaddr_storage names[16]
    cdef iovec vectors[16]
    cdef mmsghdr messages[16]
