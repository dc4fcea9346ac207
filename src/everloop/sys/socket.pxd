# Sockets: socket(7), ip(7), ipv6(7), unix(7), recvmmsg(2), sendmmsg(2).
from libc.stdint cimport uint16_t, uint32_t
from posix.time cimport timespec

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        AF_UNIX
        IPPROTO_TCP
        MSG_DONTWAIT
        MSG_NOSIGNAL
        MSG_TRUNC
        SHUT_WR
        SOCK_CLOEXEC
        SOCK_NONBLOCK

    ctypedef unsigned int socklen_t
    ctypedef unsigned short sa_family_t

    struct sockaddr:
        sa_family_t sa_family

    struct sockaddr_storage:
        sa_family_t ss_family

    struct iovec:
        void* iov_base
        size_t iov_len

    struct msghdr:
        void* msg_name
        socklen_t msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags

    int accept4(int fd, sockaddr* address, socklen_t* length, int flags)
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send(int fd, const void* buffer, size_t size, int flags)
    ssize_t sendmsg(int fd, const msghdr* message, int flags)
    ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* address, socklen_t length)
    ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* address, socklen_t* length)
    int setsockopt(int fd, int level, int name, const void* value, socklen_t length)
    int shutdown(int fd, int how)
    int getsockname(int fd, sockaddr* address, socklen_t* length)

cdef extern from "sys/socket.h" nogil:
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, timespec* timeout)
    int sendmmsg(int fd, mmsghdr* messages, unsigned int count, int flags)

cdef extern from "netinet/in.h" nogil:
    enum:
        INET_ADDRSTRLEN
        INET6_ADDRSTRLEN

    struct in_addr:
        uint32_t s_addr

    struct in6_addr:
        pass

    struct sockaddr_in:
        sa_family_t sin_family
        uint16_t sin_port
        in_addr sin_addr

    struct sockaddr_in6:
        sa_family_t sin6_family
        uint16_t sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id

    uint16_t htons(uint16_t value)
    uint16_t ntohs(uint16_t value)
    uint32_t htonl(uint32_t value)
    uint32_t ntohl(uint32_t value)

cdef extern from "netinet/tcp.h" nogil:
    enum:
        TCP_NODELAY

cdef extern from "arpa/inet.h" nogil:
    const char* inet_ntop(int family, const void* address, char* text, socklen_t size)
    int inet_pton(int family, const char* text, void* address)

cdef extern from "sys/un.h" nogil:
    struct sockaddr_un:
        sa_family_t sun_family
        char* sun_path
