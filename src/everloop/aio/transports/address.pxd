from everloop.sys.socket cimport sockaddr_in6, sockaddr_storage, socklen_t

cdef struct Address:
    socklen_t length
    sockaddr_storage storage

# One of a common family, as transports keep it: most are never asked for as an object.
cdef struct Name:
    socklen_t length  # 0 if there is none
    sockaddr_in6 storage

cdef bint keep_name(Name* name, sockaddr_storage* storage, socklen_t length) noexcept
cdef object name_object(Name* name)
cdef object address_object(sockaddr_storage* storage, socklen_t length)
cdef bint fill_address(Address* address, int family, object value) except -1
