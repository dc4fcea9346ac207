from everloop.sys.socket cimport sockaddr_storage, socklen_t

cdef struct Address:
    socklen_t length
    sockaddr_storage storage

cdef object address_object(sockaddr_storage* storage, socklen_t length)
cdef bint fill_address(Address* address, int family, object value) except -1
